// Devstack runs everything that the order saga needs on a Debian or Ubuntu machine, as root and without Docker:
//
//	devstack up                        start the services and the five programs, on loopback
//	devstack exec -- go test ./...     run one command with a throw-away stack, beside a running one
//
// PostgreSQL 18 with DocumentDB and RabbitMQ 4 come from Debian packages in a small root file system, which is built once and
// shared by all stacks (package rootfs). FerretDB, the Temporal server and its Web UI are Go modules: they are compiled into
// this binary and run as separate processes (package engine). Package services says how to start, check and stop them and the
// project's programs, package supervisor keeps them running, and package contain makes sure that nothing is left behind.
//
// The api and the worker run as two programs, not as the one program orders: so a reader can stop the worker alone
// (devstack stop worker), place an order, and watch it wait.
//
// A stack keeps everything in one data directory: its configuration (config.json), the state of its services (status.json),
// their data and their logs. The supervisor holds a lock on it while it lives: the lock, not a PID, says whether a stack is up.
package main
