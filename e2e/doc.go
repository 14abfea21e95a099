// Package e2e holds the end-to-end tests: the built programs, as processes, on real services. Each test runs a system of its own
// (databases, virtual host, task queue, ports), breaks something (kills a process, cuts a connection, injects faults into the
// payment gateway), and then checks the system's promises:
//
//   - every accepted order is finished once everything that it needs is back;
//   - for each order the gateway keeps the total when it is CONFIRMED and nothing otherwise, captured at most once;
//   - for each product, available, held and sold units add up, and nothing is held when all orders are finished;
//   - every order's end is announced, and the notifier acts on it once.
package e2e
