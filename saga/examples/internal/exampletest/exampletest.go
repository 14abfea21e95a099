// Package exampletest runs the examples on a real Temporal server and disturbs them.
package exampletest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"sync"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

// Address is the environment variable with the address of a Temporal server that has the namespace default.
const Address = "TEST_TEMPORAL_ADDRESS"

// Server is a task queue of a test's own on a real server.
type Server struct {
	client.Client
	Queue string
	t     *testing.T
}

// Connect skips the test under -short, and fails it when there is no server.
func Connect(t *testing.T) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server; skipped by -short")
	}
	address := os.Getenv(Address)
	if address == "" {
		t.Fatalf("%s is not set: start a server, for example `temporal server start-dev`, and give its address", Address)
	}
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(t.Context(), client.Options{HostPort: address, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &Server{Client: c, Queue: "example-" + rand.Text(), t: t}
}

// Work starts a worker on the queue with the suffix. The interceptors see the activities before the worker does.
func (s *Server) Work(suffix string, register func(worker.Registry), interceptors ...interceptor.WorkerInterceptor) {
	s.t.Helper()
	w := worker.New(s.Client, s.Queue+suffix, worker.Options{Interceptors: interceptors})
	register(w)
	if err := w.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(w.Stop)
}

// Start starts a workflow that has its queue's name as its ID.
func (s *Server) Start(workflow any, args ...any) client.WorkflowRun {
	s.t.Helper()
	run, err := s.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{ID: s.Queue, TaskQueue: s.Queue}, workflow, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// Context is the test's.
func (s *Server) Context() context.Context { return s.t.Context() }

// Cancel asks for the cancellation of the workflow that Start started.
func (s *Server) Cancel() {
	if err := s.CancelWorkflow(s.t.Context(), s.Queue, ""); err != nil {
		s.t.Error(err)
	}
}

// Disturb is an interceptor that calls do in place of an activity. call counts the calls of the activity, from 1; next runs it.
func Disturb(do func(name string, call int, next func() (any, error)) (any, error)) interceptor.WorkerInterceptor {
	return &disturber{do: do, calls: map[string]int{}}
}

type disturber struct {
	interceptor.WorkerInterceptorBase
	do func(name string, call int, next func() (any, error)) (any, error)

	mu    sync.Mutex
	calls map[string]int
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (d *disturber) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &disturbed{interceptor.ActivityInboundInterceptorBase{Next: next}, d}
}

type disturbed struct {
	interceptor.ActivityInboundInterceptorBase
	disturber *disturber
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (a *disturbed) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	d, name := a.disturber, activity.GetInfo(ctx).ActivityType.Name
	d.mu.Lock()
	d.calls[name]++
	call := d.calls[name]
	d.mu.Unlock()
	return d.do(name, call, func() (any, error) { return a.Next.ExecuteActivity(ctx, in) })
}
