// Devstack runs everything that the order saga needs on a Debian or Ubuntu machine without Docker, as root, with one
// command:
//
//	devstack up                        the services and the five programs, on loopback
//	devstack exec -- go test ./...     a throw-away stack for one command, beside a running one
//
// PostgreSQL 18 with DocumentDB and RabbitMQ 4 come from Debian packages in a small root file system of their own, built
// once and shared by all stacks (package rootfs). FerretDB, the Temporal server and its Web UI are Go modules, compiled
// into this binary and run as processes of their own (packages embedded and engine). How they and the project's programs
// are started, checked and stopped is in package services; package supervisor keeps them running; package contain sees
// to it that nothing is left when it ends.
//
// A stack keeps all it has in one data directory: the configuration it runs with (config.json), the state of its
// services (status.json), their data and their logs. A supervisor holds a lock on it as long as it lives, so the file
// lock, and no PID, says whether a stack is up.
package main
