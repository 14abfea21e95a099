package saga_test

import (
	"context"
	"strings"
	"testing"
	"time"

	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

var noFastPath = worker.Options{
	DeadlockDetectionTimeout: time.Minute,
	Interceptors:             []interceptor.WorkerInterceptor{saga.NoFastPath()},
}

// onActivity returns a listener that passes the names of regular activities to f.
func onActivity(f func(name string)) func(*activity.Info, context.Context, converter.EncodedValues) {
	return func(info *activity.Info, _ context.Context, _ converter.EncodedValues) { f(info.ActivityType.Name) }
}

// currentDetails asks the workflow for its current details, as the Web UI does.
func currentDetails(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	t.Helper()
	value, err := env.QueryWorkflow("__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var metadata sdkpb.WorkflowMetadata
	if err := value.Get(&metadata); err != nil {
		t.Fatal(err)
	}
	return metadata.CurrentDetails
}

// mortal returns the options of a worker that dies when the ledger says so: the workflow then stops there.
func mortal(l *ledger) worker.Options {
	return worker.Options{
		DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{&reaper{l: l}},
		BackgroundActivityContext: context.WithValue(context.Background(), runKey{}, l.death.run),
	}
}

type reaper struct {
	interceptor.WorkerInterceptorBase
	l *ledger
}

func (r *reaper) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	in := &reaperIn{l: r.l}
	in.Next = next
	return in
}

type reaperIn struct {
	interceptor.WorkflowInboundInterceptorBase
	l *ledger
}

func (r *reaperIn) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &reaperOut{l: r.l}
	out.Next = next
	return r.Next.Init(out)
}

type reaperOut struct {
	interceptor.WorkflowOutboundInterceptorBase
	l *ledger
}

func (r *reaperOut) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	r.reap()
	return r.Next.ExecuteLocalActivity(ctx, name, args...)
}

func (r *reaperOut) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	r.reap()
	r.record()
	return r.Next.ExecuteActivity(ctx, name, args...)
}

func (r *reaperOut) reap() {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	if r.l.death.dead {
		panic("the worker is dead")
	}
}

func (r *reaperOut) ExecuteChildWorkflow(ctx workflow.Context, name string, args ...any) workflow.ChildWorkflowFuture {
	r.reap()
	r.record()
	return r.Next.ExecuteChildWorkflow(ctx, name, args...)
}

func (r *reaperOut) NewTimerWithOptions(ctx workflow.Context, d time.Duration, o workflow.TimerOptions) workflow.Future {
	r.record()
	return r.Next.NewTimerWithOptions(ctx, d, o)
}

// GetSignalChannel is called before a step waits for a signal, and by the saga for the signals of operators.
func (r *reaperOut) GetSignalChannel(ctx workflow.Context, name string) workflow.ReceiveChannel {
	if strings.HasPrefix(name, "go ") {
		r.record()
	}
	return r.Next.GetSignalChannel(ctx, name)
}

func (r *reaperOut) record() {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.l.death.recorded()
}
