// Package supervisor runs the services and programs of a stack: it starts each when those that it needs are ready, restarts it
// when it dies, and stops all of them in reverse order.
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
	Address string   // host:port for users, for display; may be empty
	After   []string // services that must be ready before this one starts, and stop after it
	Binary  string   // file whose replacement makes a reload restart the service; may be empty

	// Prepare, when set, runs before each start.
	Prepare func(context.Context) error
	// Command returns the process to run. Its output is redirected to the service's log.
	Command func() (*exec.Cmd, error)
	// Ready returns nil once the process is ready. It is called until then.
	Ready func(context.Context) error
	// Setup, when set, runs once the process is ready, before the service counts as ready.
	Setup func(context.Context) error

	StartTimeout time.Duration // for Prepare, start, Ready and Setup together
	Stop         syscall.Signal
	StopTimeout  time.Duration // then it is killed
}

// State is the state of a service.
type State string

// The states of a service.
const (
	Waiting    State = "waiting"    // for services that it needs
	Starting   State = "starting"   // not ready yet
	Ready      State = "ready"      // working
	Restarting State = "restarting" // it died
	Stopped    State = "stopped"
)
