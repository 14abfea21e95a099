package saga_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/ordersaga/ordersaga/saga"
)

// moody is an outside system of which each call fails as often as it is told to.
type moody struct {
	fails map[string]int // by call: so many times
	with  map[string]error
	then  map[string]error // the answer after that
}

type mood struct {
	Calls int `json:"calls"`
}

func (m *moody) Call(_ context.Context, name string) (mood, error) {
	if m.fails[name]--; m.fails[name] < 0 {
		return mood{Calls: 7}, m.then[name]
	}
	if err := m.with[name]; err != nil {
		return mood{}, err
	}
	return mood{}, errBroken
}

// attempted runs a saga over m and returns what its journal says at its end.
func attempted(t *testing.T, m *moody, prepare func(*testsuite.TestWorkflowEnvironment), interceptors ...interceptor.WorkerInterceptor) []string {
	t.Helper()
	var told []string
	call := func(name string) saga.Func {
		return func(ctx workflow.Context) error {
			var got mood
			err := saga.Execute(ctx, m.Call, name, &got)
			if err == nil && got.Calls != 7 {
				t.Errorf("%s: the result is %+v", name, got)
			}
			return err
		}
	}
	taken := func(ctx workflow.Context) error {
		for _, e := range saga.Timeline(ctx) {
			if e.Attempts > 0 {
				told = append(told, fmt.Sprintf("%s %s %d", e.Step, e.Kind, e.Attempts))
			}
		}
		return nil
	}
	run := func(ctx workflow.Context) error {
		return saga.Plan{
			Steps: []saga.Step{
				{Name: "A", Do: call("A"), Undo: saga.Undo{Name: "UndoA", Do: call("UndoA")}},
				{Name: "B", Do: call("B"), Undo: saga.Undo{Name: "Nothing", Do: func(workflow.Context) error { return nil }}},
			},
			Pivot: saga.Step{Name: "Confirm", Do: call("Confirm")},
			Fence: func(ctx workflow.Context, c saga.Cause) (saga.Verdict, error) {
				var why string
				if saga.IsRefused(c.Err) && (!saga.Refusal(c.Err, &why) || why != "sold out") {
					t.Errorf("the refusal's details are %q", why)
				}
				return saga.Backward, call("Fence")(ctx)
			},
			Finish:    saga.Step{Name: "Finish", Do: call("Finish")},
			Retriable: []saga.Step{{Name: "Tell", Do: call("Tell")}, {Name: "Look", Do: taken}},
		}.Run(ctx, saga.Options{})
	}
	env := newEnv(newLedger())
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: interceptors})
	env.RegisterWorkflow(run)
	env.RegisterActivity(m)
	if prepare != nil {
		prepare(env)
	}
	env.ExecuteWorkflow(run)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	return told
}

var refusal = saga.Refuse("OUT", "nothing left", "sold out")

func TestAttemptsOfAStepAreCountedOverTheFastPathAndAllThatFollows(t *testing.T) {
	t.Parallel()
	on := []interceptor.WorkerInterceptor{saga.CountAttempts()}
	off := append([]interceptor.WorkerInterceptor{saga.NoFastPath()}, on...)
	confirmed := func(a, b string) []string { return []string{a, b, "Confirm DONE 1", "Tell DONE 1"} }
	for name, test := range map[string]struct {
		world        moody
		interceptors []interceptor.WorkerInterceptor
		want         []string
	}{
		"undisturbed": {interceptors: on, want: confirmed("A DONE 1", "B DONE 1")},
		"the local attempt breaks": {
			world: moody{fails: map[string]int{"A": 1}}, interceptors: on, want: confirmed("A DONE 2", "B DONE 1"),
		},
		"the local attempt and two regular ones break": {
			world: moody{fails: map[string]int{"A": 3}}, interceptors: on, want: confirmed("A DONE 4", "B DONE 1"),
		},
		"two steps break, the second one without a local attempt": {
			world: moody{fails: map[string]int{"A": 1, "B": 1}}, interceptors: on, want: confirmed("A DONE 2", "B DONE 2"),
		},
		// The test environment ends a window after ten attempts.
		"broken for longer than a window": {
			world: moody{fails: map[string]int{"B": 12}}, interceptors: on,
			want: []string{"A DONE 1", "B NEEDS_ATTENTION 11", "B DONE 13", "Confirm DONE 1", "Tell DONE 1"},
		},
		"only a person can help": {
			world:        moody{fails: map[string]int{"B": 3}, with: map[string]error{"B": saga.NeedsAttention(errBroken)}},
			interceptors: on, want: []string{"A DONE 1", "B NEEDS_ATTENTION 2", "B DONE 4", "Confirm DONE 1", "Tell DONE 1"},
		},
		"refused at the third attempt": {
			world:        moody{fails: map[string]int{"B": 2}, then: map[string]error{"B": refusal}},
			interceptors: on,
			want:         []string{"A DONE 1", "B REFUSED 3", "Fence DONE 1", "UndoA UNDONE 1", "Finish DONE 1", "Tell DONE 1"},
		},
		"the undo, the fence and what follows break": {
			world: moody{fails: map[string]int{"Fence": 1, "UndoA": 2, "Finish": 1, "Tell": 3},
				then: map[string]error{"B": refusal}}, interceptors: on,
			want: []string{"A DONE 1", "B REFUSED 1", "Fence DONE 2", "UndoA UNDONE 3", "Finish DONE 2", "Tell DONE 4"},
		},
		"without a fast path": {interceptors: off, want: confirmed("A DONE 1", "B DONE 1")},
		"broken without a fast path": {
			world: moody{fails: map[string]int{"A": 2}}, interceptors: off, want: confirmed("A DONE 3", "B DONE 1"),
		},
		"a worker that does not count: at least one of each kind": {
			world: moody{fails: map[string]int{"A": 3}}, want: confirmed("A DONE 2", "B DONE 1"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.world.fails == nil {
				test.world.fails = map[string]int{}
			}
			if diff := cmp.Diff(test.want, attempted(t, &test.world, nil, test.interceptors...)); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// An operator's retry begins a new wait. Of the one that it ends, one attempt is known to have been.
func TestAttemptsThatNobodyWaitedForAreNotMadeUp(t *testing.T) {
	t.Parallel()
	m := &moody{fails: map[string]int{"A": 5}} // at 0 s, and again 0.5, 1, 2 and 4 s later
	got := attempted(t, m, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			env.SignalWorkflow(saga.SignalRetry, saga.Command{Operator: "alice", Reason: "it is up again"})
		}, 5*time.Second)
	}, saga.CountAttempts())
	want := []string{"A DONE 3", "B DONE 1", "Confirm DONE 1", "Tell DONE 1"} // local, unheard, and the last
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

// detailed is an error of an activity that has details which are not the saga's.
var detailed = temporal.NewApplicationError("too many", "Quota", map[string]int{"attempt": 99})

func TestCountingChangesNoError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err      error
		numbered bool
	}{
		"an error":                   {errBroken, true},
		"an error around another":    {fmt.Errorf("charge: %w", errBroken), true},
		"two errors":                 {errors.Join(errBroken, errBroken), true},
		"a refusal":                  {refusal, true},
		"a refusal of nothing":       {saga.Refuse("NO", "no", nil), true},
		"what only a person can do":  {saga.NeedsAttention(errBroken), true},
		"a final error with a cause": {temporal.NewNonRetryableApplicationError("bad", "Bad", errBroken), true},
		"when to try again": {temporal.NewApplicationErrorWithOptions("later", "Later",
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour}), true},
		"with details":        {detailed, false},
		"wrapping a refusal":  {fmt.Errorf("reserve: %w", refusal), true},
		"cancelled":           {context.Canceled, false},
		"a time-out of ours":  {context.DeadlineExceeded, true},
		"a time-out of other": {temporal.NewHeartbeatTimeoutError(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := secondFailure(t, test.err), secondFailure(t, test.err, saga.CountAttempts())
			had, has := details(want), details(got)
			if test.numbered {
				last := len(has) - 1
				if last < 0 || string(has[last].GetData()) != `{"attempt":2}` {
					t.Fatalf("the details are %v", has)
				}
				has = has[:last]
			}
			if diff := cmp.Diff(had, has, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("details (-uncounted +counted):\n%s", diff)
			}
			ignored := protocmp.IgnoreFields(&failurepb.ApplicationFailureInfo{}, "details")
			if diff := cmp.Diff(want, got, protocmp.Transform(), ignored); diff != "" {
				t.Errorf("failure (-uncounted +counted):\n%s", diff)
			}
		})
	}
}

func details(f *failurepb.Failure) []*commonpb.Payload {
	return f.GetApplicationFailureInfo().GetDetails().GetPayloads()
}

// secondFailure returns the failure that a worker with the interceptors reports when an activity fails the second time.
func secondFailure(t *testing.T, err error, interceptors ...interceptor.WorkerInterceptor) *failurepb.Failure {
	t.Helper()
	env := newEnv(newLedger())
	env.SetWorkerOptions(worker.Options{Interceptors: interceptors})
	calls := 0
	fail := func(context.Context) error {
		if calls++; calls == 1 {
			return errBroken
		}
		return err
	}
	run := func(ctx workflow.Context) error {
		return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 2},
		}), fail).Get(ctx, nil)
	}
	env.RegisterWorkflow(run)
	env.RegisterActivity(fail)
	env.ExecuteWorkflow(run)
	var failed *temporal.ActivityError
	if !errors.As(env.GetWorkflowError(), &failed) || calls != 2 {
		t.Fatalf("%d calls, %v", calls, env.GetWorkflowError())
	}
	return temporal.GetDefaultFailureConverter().ErrorToFailure(errors.Unwrap(failed))
}
