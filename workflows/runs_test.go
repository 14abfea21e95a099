package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/workflows"
)

// newEnv returns a test environment in which the order saga acts on w.
func newEnv(w *world) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	suite.SetDisableRegistrationAliasing(true)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(stuckAfter)
	env.SetWorkerOptions(watched(w))
	env.RegisterWorkflow(workflows.CreateOrder)
	env.RegisterWorkflow(workflows.RecoverOrder)
	env.RegisterActivityWithOptions(w.activities(), activity.RegisterOptions{})
	return env
}

// stuckAfter is how long a run may do nothing, in real time, before it counts as stuck.
const stuckAfter = time.Minute

func watched(w *world) worker.Options {
	return worker.Options{
		DeadlockDetectionTimeout: time.Minute, // a busy machine is no deadlock
		Interceptors:             []interceptor.WorkerInterceptor{&watcher{w: w, run: w.run}},
	}
}

// watcher logs what the workflow schedules and which refusals it receives, and ends it when its worker is dead.
type watcher struct {
	interceptor.WorkerInterceptorBase
	w   *world
	run int
}

func (i *watcher) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &watchedIn{w: i.w}
	in.Next = next
	return in
}

func (i *watcher) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	a := &watchedActivity{w: i.w, run: i.run}
	a.Next = next
	return a
}

// watchedActivity logs refusals.
type watchedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	w   *world
	run int
}

func (a *watchedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	result, err := a.Next.ExecuteActivity(ctx, in)
	var cause order.Cause
	if _, ok := saga.Refusal(err, &cause); ok {
		a.w.mu.Lock()
		defer a.w.mu.Unlock()
		a.w.log = append(a.w.log, entry{run: a.run, kind: refused, op: activity.GetInfo(ctx).ActivityType.Name, cause: cause})
	}
	return result, err
}

type watchedIn struct {
	interceptor.WorkflowInboundInterceptorBase
	w *world
}

func (i *watchedIn) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &watchedOut{w: i.w}
	out.Next = next
	return i.Next.Init(out)
}

func (i *watchedIn) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	if i.w.asleep {
		cancelled, cancel := workflow.WithCancel(ctx)
		cancel()
		ctx = cancelled
	}
	return i.Next.ExecuteWorkflow(ctx, in)
}

func (i *watchedIn) ExecuteUpdate(ctx workflow.Context, in *interceptor.UpdateInput) (any, error) {
	if in.Name == workflows.UpdateCancel {
		i.w.write(cancelled, "")
	}
	return i.Next.ExecuteUpdate(ctx, in)
}

func (i *watchedIn) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	if in.SignalName == saga.SignalCompensate {
		i.w.write(given, "")
	}
	return i.Next.HandleSignal(ctx, in)
}

type watchedOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	w *world
}

func (o *watchedOut) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.schedule(name)
	return o.Next.ExecuteLocalActivity(ctx, name, args...)
}

func (o *watchedOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	o.schedule(name)
	return o.Next.ExecuteActivity(ctx, name, args...)
}

// GetInfo reports the start of the first run as the start of the workflow.
func (o *watchedOut) GetInfo(ctx workflow.Context) *workflow.Info {
	info := *o.Next.GetInfo(ctx)
	info.WorkflowStartTime = o.w.start
	return &info
}

// errTaskLost is the panic of a run whose worker is dead: the server records nothing more of it.
const errTaskLost = "the worker is dead"

// runsAway bounds the log of an order: far more than the longest run takes.
const runsAway = 500

func (o *watchedOut) schedule(op string) {
	o.w.mu.Lock()
	defer o.w.mu.Unlock()
	if o.w.dead {
		panic(errTaskLost)
	}
	if len(o.w.log) > runsAway {
		panic("the workflow runs away")
	}
	o.w.log = append(o.w.log, entry{run: o.w.run, kind: scheduled, op: op})
	if plans := o.w.plans[op]; len(plans) > 0 {
		o.w.plans[op] = plans[1:]
		plans[0]()
	}
}

func (w *world) write(kind entryKind, op string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, entry{run: w.run, kind: kind, op: op})
}

// cancel asks for the workflow to be cancelled. It is called with mu held.
func (w *world) cancel() {
	w.log = append(w.log, entry{run: w.run, kind: cancelled})
	w.env.CancelWorkflow()
}

// die ends the run: its worker is dead. The world changes before the next run. It is called with mu held.
func (w *world) die(change func()) {
	w.dead, w.next = true, change
}

// live runs the order's saga, again each time its worker dies, until a run ends. It returns the broken invariants.
func (w *world) live(req order.Request) []string {
	for {
		lost, wrong := w.once(req)
		if wrong != "" {
			return []string{fmt.Sprintf("invariant %q: %s", invariants[0].name, wrong)}
		}
		if !lost {
			break
		}
		w.run++
		w.log = append(w.log, entry{run: w.run, kind: rerun})
		w.dead, w.asleep = false, false
		w.next()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.land()
	return w.violations(req.ID)
}

// once is one run. It reports whether its worker died, and otherwise what is wrong with how it ended.
func (w *world) once(req order.Request) (lost bool, wrong string) {
	defer func() {
		if stuck := recover(); stuck != nil {
			wrong = fmt.Sprint("the workflow is stuck: ", stuck)
		}
	}()
	env := newEnv(w)
	if w.env != nil {
		env.SetStartTime(w.env.Now().Add(w.pause))
		w.pause = 0
	}
	w.attach(env)
	id, run := req.ID.WorkflowID(), any(workflows.CreateOrder)
	if w.recovering {
		id, run = req.ID.RecoveryID(), workflows.RecoverOrder
		w.log = append(w.log, entry{run: w.run, kind: recovered})
	}
	if w.asleep {
		w.log = append(w.log, entry{run: w.run, kind: cancelled})
	}
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: "orders"})
	env.ExecuteWorkflow(run, req)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.dead:
		return true, ""
	case !env.IsWorkflowCompleted():
		return false, "the workflow did not end"
	case env.GetWorkflowError() != nil:
		return false, fmt.Sprint("the workflow failed: ", env.GetWorkflowError())
	}
	var result activities.Progress
	if err := env.GetWorkflowResult(&result); err != nil {
		return false, err.Error()
	}
	w.log = append(w.log, entry{run: w.run, kind: told, cause: causeOf(result.Cause)})
	return false, ""
}

func causeOf(c *order.Cause) order.Cause {
	if c == nil {
		return order.Cause{}
	}
	return *c
}
