// Package worker runs the workflows and activities of the order saga. Any number of workers share the work. A worker that is
// killed loses nothing: its orders continue in another one, or in the same once it is back.
//
// On SIGTERM it takes no new work, lets running activities finish (WORKER_STOP_TIMEOUT) and exits. Run is the program; Open
// is for a process that runs an api beside the worker (cmd/orders).
package worker
