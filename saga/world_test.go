package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// world is an outside world with one activity, Act, that each test scripts by the names of calls.
type world struct {
	mu     sync.Mutex
	calls  []string                                // that took effect
	tries  map[string]int                          // by name
	script map[string]func(attempt int) error      // by name; nil: succeeds
	seen   map[string]func(activity.Info)          // by name: what the activity sees
	undone map[string]saga.Undoing[string, string] // by step, of Pairs
}

func newWorld() *world {
	return &world{tries: map[string]int{}, script: map[string]func(int) error{},
		seen: map[string]func(activity.Info){}, undone: map[string]saga.Undoing[string, string]{}}
}

// Act is the activity of steps and undos alike.
func (w *world) Act(ctx context.Context, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tries[name]++
	if see := w.seen[name]; see != nil {
		see(activity.GetInfo(ctx))
	}
	if script := w.script[name]; script != nil {
		if err := script(w.tries[name]); err != nil {
			return err
		}
	}
	w.calls = append(w.calls, name)
	return nil
}

// Book is the activity of a Pair.
func (w *world) Book(ctx context.Context, name string) (string, error) {
	return "ticket of " + name, w.Act(ctx, name)
}

// CancelBooking is the undo of a Pair.
func (w *world) CancelBooking(ctx context.Context, in saga.Undoing[string, string]) error {
	w.mu.Lock()
	w.undone[in.Input] = in
	w.mu.Unlock()
	return w.Act(ctx, "-"+in.Input)
}

// child registers a child workflow under that name.
func child(f any) func(*testsuite.TestWorkflowEnvironment) {
	return func(e *testsuite.TestWorkflowEnvironment) {
		e.RegisterWorkflowWithOptions(f, workflow.RegisterOptions{Name: "child"})
	}
}

// always is the script of a call that always fails.
func always(err error) func(int) error { return func(int) error { return err } }

// failing1st is the script of a call that fails n times.
func failing1st(n int, err error) func(int) error {
	return func(attempt int) error {
		if attempt <= n {
			return err
		}
		return nil
	}
}

var errReset = errors.New("connection reset")

func refused(name string) func(int) error { return always(saga.Refuse("NO", name+" is refused", nil)) }

// did reports how often the call took effect.
func (w *world) did(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == name {
			n++
		}
	}
	return n
}

// act returns a function of a plan that calls Act.
func act(name string) saga.Func {
	var w *world
	return func(ctx workflow.Context) error { return saga.Do(ctx, w.Act, name) }
}

// step returns a step with an undo.
func step(name string) saga.Step {
	return saga.Step{Name: name, Do: act(name), Undo: &saga.Undo{Name: "Undo" + name, Do: act("-" + name)}}
}

func (w *world) env() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	env.RegisterActivity(w)
	saga.Register(env)
	return env
}

// run runs the plan as a workflow that returns what Run does.
func (w *world) run(t *testing.T, p saga.Plan, o saga.Options, prepare ...func(*testsuite.TestWorkflowEnvironment)) error {
	t.Helper()
	return w.runFlow(t, func(ctx workflow.Context) error {
		_, err := p.Run(ctx, o)
		return err
	}, prepare...)
}

// wantCalls checks which calls took effect, in their order.
func (w *world) wantCalls(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(w.calls, want) {
		t.Errorf("calls %q, want %q", w.calls, want)
	}
}

// wantUnwound checks that err says that a saga was unwound for this kind of cause.
func wantUnwound(t *testing.T, err error, kind saga.CauseKind) saga.Outcome {
	t.Helper()
	out, ok := saga.Unwound(err)
	if !ok || out.End != saga.WasUnwound || out.Cause.Kind != kind {
		t.Fatalf("error %v, outcome %+v, cause %v: want a saga that was unwound because %s", err, out, out.Cause, kind)
	}
	return out
}

func wantForward(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the saga did not go forward: %v", err)
	}
}
