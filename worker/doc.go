// Package worker runs the workflows and activities of the order saga. Any number of workers share the work; one that is
// killed loses nothing: its orders go on in another, or in the same when it is back.
//
// On SIGTERM it takes no new work, lets the activities in hand finish (WORKER_STOP_TIMEOUT) and exits.
package worker
