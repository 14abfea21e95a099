package saga_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// longWaits are steps that wait for something other than an activity, by what they wait for.
func longWaits() map[string]saga.Func {
	return map[string]saga.Func{
		"a child workflow": func(ctx workflow.Context) error {
			_, err := saga.ExecuteChild[string](ctx, ninetyDays)
			return err
		},
		"a signal": func(ctx workflow.Context) error {
			_, err := saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "approve"))
			return err
		},
		"a condition": func(ctx workflow.Context) error { return saga.Await(ctx, func() bool { return false }) },
		"a timer":     func(ctx workflow.Context) error { return saga.Sleep(ctx, 90*24*time.Hour) },
		"a nested saga": func(ctx workflow.Context) error {
			p := saga.Plan{Name: "inner", Steps: []saga.Step{step("Inner"), {Name: "Long", Do: func(ctx workflow.Context) error {
				return saga.Sleep(ctx, 90*24*time.Hour)
			}}}}
			_, err := p.Run(ctx, saga.Options{})
			return err
		},
	}
}

func ninetyDays(ctx workflow.Context) (string, error) {
	return "done", workflow.Sleep(ctx, 90*24*time.Hour)
}

func TestWhateverAStepWaitsForEndsWithTheSaga(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		end  func(*testsuite.TestWorkflowEnvironment)
		want saga.CauseKind
	}{
		"deadline":   {func(*testsuite.TestWorkflowEnvironment) {}, saga.TimedOut},
		"cancel":     {func(e *testsuite.TestWorkflowEnvironment) { e.RegisterDelayedCallback(e.CancelWorkflow, time.Minute) }, saga.Cancelled},
		"compensate": {func(e *testsuite.TestWorkflowEnvironment) { signal(e, time.Minute, saga.SignalCompensate, alice) }, saga.GivenUp},
	}
	for what, wait := range longWaits() {
		for how, tt := range ends {
			t.Run(what+", "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				err := w.run(t, saga.Plan{Steps: []saga.Step{step("Flight"), {Name: "Wait", Do: wait}}},
					saga.Options{PivotTimeout: time.Hour}, tt.end, func(e *testsuite.TestWorkflowEnvironment) {
						e.RegisterWorkflow(ninetyDays)
						e.RegisterDelayedCallback(func() { t.Error("the saga outlived its end by a day") }, 24*time.Hour)
					})
				wantUnwound(t, err, tt.want)
				want := []string{"Flight", "-Flight"}
				if what == "a nested saga" {
					want = []string{"Flight", "Inner", "-Inner", "-Flight"}
				}
				w.wantCalls(t, want...)
			})
		}
	}
}

func TestApprovalThatComesInTimeLetsTheSagaGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var got string
	approve := func(ctx workflow.Context) (err error) {
		got, err = saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "approve"))
		return err
	}
	err := w.run(t, saga.Plan{Steps: []saga.Step{step("Account"), {Name: "Approve", Do: approve}}},
		saga.Options{PivotTimeout: 72 * time.Hour, StepPatience: time.Minute},
		func(e *testsuite.TestWorkflowEnvironment) { signal(e, 48*time.Hour, "approve", "yes") })
	wantForward(t, err)
	if got != "yes" {
		t.Errorf("got %q", got)
	}
}

func TestWaitThatOutlivesTheStepsPatienceNeedsAttention(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var alerts []saga.Attention
	approve := saga.Step{Name: "Approve", Patience: time.Hour, Do: func(ctx workflow.Context) error {
		_, err := saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "approve"))
		return err
	}}
	err := w.run(t, saga.Plan{Steps: []saga.Step{approve}},
		saga.Options{OnAttention: func(_ workflow.Context, a saga.Attention) { alerts = append(alerts, a) }},
		func(e *testsuite.TestWorkflowEnvironment) { signal(e, 150*time.Minute, "approve", "yes") })
	wantForward(t, err)
	if len(alerts) != 2 || alerts[0].CanRetry || strings.Contains(alerts[0].Advice(), "`retry`") {
		t.Errorf("%d alerts, want one after an hour and one an hour later, without retry: %+v", len(alerts), alerts)
	}
}

func TestUndoOfOwnCodeIsRetriedLikeAnActivity(t *testing.T) {
	t.Parallel()
	undos := map[string]func(w *world) saga.Func{
		"own code": func(w *world) saga.Func {
			return func(ctx workflow.Context) error {
				if err := saga.Do(ctx, w.Act, "-Flight"); err != nil || w.did("-Flight") < 3 {
					return errors.Join(err, errReset)
				}
				return nil
			}
		},
		"a child workflow": func(*world) saga.Func {
			return func(ctx workflow.Context) error {
				_, err := saga.ExecuteChild[string](ctx, cancelInChild)
				return err
			}
		},
	}
	for name, undo := range undos {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Hotel"] = refused("Hotel")
			w.script["-Flight in a child"] = failing1st(2, temporal.NewNonRetryableApplicationError("no", "Bug", nil))
			p := saga.Plan{Steps: []saga.Step{
				{Name: "Flight", Do: act("Flight"), Undo: &saga.Undo{Name: "UndoFlight", Do: undo(w)}}, step("Hotel"),
			}}
			err := w.run(t, p, saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) { e.RegisterWorkflow(cancelInChild) })
			wantUnwound(t, err, saga.Refused)
			if w.did("-Flight")+w.did("-Flight in a child")*3 != 3 {
				t.Errorf("%v", w.calls)
			}
		})
	}
}

// cancelInChild cancels in one activity that is not retried: its failure fails the child.
func cancelInChild(ctx workflow.Context) (string, error) {
	var w *world
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	return "", workflow.ExecuteActivity(ctx, w.Act, "-Flight in a child").Get(ctx, nil)
}

func TestFenceThatIsAChildWorkflowIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Flight"] = refused("Flight")
	w.script["-Flight in a child"] = failing1st(2, temporal.NewNonRetryableApplicationError("no", "Bug", nil))
	p := saga.Plan{
		Steps: []saga.Step{step("Flight")}, Pivot: saga.Step{Name: "Confirm", Do: act("Confirm")},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			_, err := saga.ExecuteChild[string](ctx, cancelInChild)
			return saga.Backward, err
		},
	}
	err := w.run(t, p, saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) { e.RegisterWorkflow(cancelInChild) })
	wantUnwound(t, err, saga.Refused)
	w.wantCalls(t, "-Flight in a child", "-Flight")
}

func TestChildWorkflowThatFailsIsBrokenAndOneThatIsRefusedRefusesTheSaga(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		child func(attempt int) error
		want  saga.CauseKind // "": it goes forward
		code  string
	}{
		"it fails twice":    {func(n int) error { return failing1st(2, errReset)(n) }, "", ""},
		"it is refused":     {always(saga.Refuse("NO_ROOM", "full", nil)), saga.Refused, "NO_ROOM"},
		"it fails for good": {always(temporal.NewNonRetryableApplicationError("no", "Bug", nil)), saga.Failed, "Bug"},
		"others cancel it":  {always(temporal.NewCanceledError()), saga.Cancelled, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, n := newWorld(), 0
			booking := func(workflow.Context, string) (string, error) { n++; return "booked", tt.child(n) }
			p := saga.Plan{Steps: []saga.Step{step("Flight"), {Name: "Hotel", Do: func(ctx workflow.Context) error {
				got, err := saga.ExecuteChild[string](ctx, "child", "Rome")
				if err == nil && got != "booked" {
					err = fmt.Errorf("got %q", got)
				}
				return err
			}}}}
			err := w.run(t, p, saga.Options{}, child(booking))
			if tt.want == "" {
				wantForward(t, err)
				return
			}
			if out := wantUnwound(t, err, tt.want); out.Cause.Code != tt.code {
				t.Errorf("code %q, want %q", out.Cause.Code, tt.code)
			}
		})
	}
}

func TestChildThatIsASagaAndWasUnwoundRefusesTheSagaAroundIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Room"] = refused("Room")
	hotel := func(ctx workflow.Context) (saga.Outcome, error) {
		return saga.Plan{Name: "hotel", Steps: []saga.Step{step("Room")}}.Run(ctx, saga.Options{})
	}
	p := saga.Plan{Steps: []saga.Step{step("Flight"), {Name: "Hotel", Do: func(ctx workflow.Context) error {
		_, err := saga.ExecuteChild[saga.Outcome](ctx, "child")
		return err
	}}}}
	err := w.run(t, p, saga.Options{}, child(hotel))
	if out := wantUnwound(t, err, saga.Refused); out.Cause.Code != "NO" || out.Cause.Step != "Hotel" {
		t.Errorf("cause %+v", out.Cause)
	}
	w.wantCalls(t, "Flight", "-Room", "-Flight")
}

func TestContinueAsNewInAStepIsAMistakeAndNotAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := saga.Plan{Steps: []saga.Step{step("Flight"), {Name: "Long", Do: func(ctx workflow.Context) error {
		return workflow.NewContinueAsNewError(ctx, ninetyDays)
	}}}}
	err := w.run(t, p, saga.Options{})
	if err == nil || !strings.Contains(err.Error(), "use a child workflow") {
		t.Errorf("got %v", err)
	}
	w.wantCalls(t, "Flight")
}

func TestDeadlineCountsFromRun(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env()
	late := func(ctx workflow.Context) error {
		if err := workflow.Sleep(ctx, 24*time.Hour); err != nil { // an approval, for example
			return err
		}
		_, err := saga.Plan{Steps: []saga.Step{step("Flight")}}.Run(ctx, saga.Options{PivotTimeout: time.Hour})
		return err
	}
	env.RegisterWorkflow(late)
	env.ExecuteWorkflow(late)
	wantForward(t, env.GetWorkflowError())
	w.wantCalls(t, "Flight")
}

func TestDeadlineThatHasPassedUnwindsBeforeTheFirstStep(t *testing.T) {
	t.Parallel()
	w := newWorld()
	err := w.run(t, saga.Plan{Steps: []saga.Step{step("Flight")}}, saga.Options{Deadline: time.Unix(0, 0), PivotTimeout: time.Hour})
	wantUnwound(t, err, saga.TimedOut)
	w.wantCalls(t, "-Flight")
}
