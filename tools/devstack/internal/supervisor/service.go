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
	Version string   // a reload restarts the service when it has changed

	// Command prepares a start and returns the process to run, in a process group of its own and made with
	// exec.CommandContext. Its output is redirected to the service's log.
	Command func(context.Context) (*exec.Cmd, error)
	// Ready returns nil once the process is ready. It is called until then.
	Ready func(context.Context) error
	// Setup, when set, runs once the process is ready, before the service counts as ready.
	Setup func(context.Context) error

	StartTimeout time.Duration  // for Ready and Setup together; 0: 90 s
	Stop         syscall.Signal // 0: SIGTERM
	StopTimeout  time.Duration  // then it is killed; 0: 40 s
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
