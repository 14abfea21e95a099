// Package e2e holds the end-to-end tests: the built programs, as processes, on real services. Each test runs a system
// of its own (databases, virtual host, task queue, ports), breaks something (a process by SIGKILL, a connection by a
// proxy, the payment gateway by its own faults) and then checks what the system promises:
//
//   - every accepted order reaches its end once what it needs is back;
//   - per order the gateway keeps the total when it is CONFIRMED and nothing otherwise, captured at most once;
//   - per product, what is available, held and sold adds up, and nothing is held when all orders are at their end;
//   - every order's end is announced, and the notifier acts on it once.
package e2e
