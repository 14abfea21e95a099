// Command deadletter looks at the messages that nobody could handle (the queue failed_messages) and replays or discards
// them:
//
//	deadletter list                              how many there are, by reason
//	deadletter show ID                           one of them, with its headers and body
//	deadletter replay --group 1a2b3c4d           back into the queue in which they failed
//	deadletter discard --id ID --reason "…"      away; the audit stream keeps them
//	deadletter audit                             what was done, by whom and why
//
// It can be interrupted, or killed, at any moment: a message leaves failed_messages only after the broker has confirmed
// its new place. One that was on its way is then in both places, under one ID, and consumers act once on an ID. Every
// action is recorded before it is done, with the message itself, in the stream dead_letter_audit.
//
// `deadletter --help` lists everything.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
