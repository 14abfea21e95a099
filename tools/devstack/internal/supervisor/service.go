// Package supervisor runs the services and programs of a stack: it starts each when those that it needs are ready,
// starts it again when it dies, and stops them all in the reverse order.
package supervisor

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// Service is one process of the stack.
type Service struct {
	Name    string
	Address string   // host:port that users connect to, for display; may be empty
	After   []string // services that must be ready before this one starts, and stop after it
	Binary  string   // file that, when it is replaced, makes a reload start the service anew; may be empty

	// Prepare, when set, runs before each start.
	Prepare func(context.Context) error
	// Command returns the process to run. Its output is redirected to the service's log.
	Command func() (*exec.Cmd, error)
	// Ready returns nil once the process does its work. It is asked until then.
	Ready func(context.Context) error
	// Setup, when set, runs once the process is ready, before the service counts as ready.
	Setup func(context.Context) error

	StartWithin time.Duration // bound for Prepare, start, Ready and Setup together
	Stop        syscall.Signal
	StopWithin  time.Duration // then it is killed
}

// State is what a service is doing.
type State string

// The states of a service.
const (
	Waiting    State = "waiting"    // for the services that it needs
	Starting   State = "starting"   // or not ready yet
	Ready      State = "ready"      // does its work
	Restarting State = "restarting" // died, and is started again
	Stopped    State = "stopped"
)
