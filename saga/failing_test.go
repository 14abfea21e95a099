package saga_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func trip(hotel saga.Step) saga.Plan { return saga.Plan{Steps: []saga.Step{step("Flight"), hotel}} }

// noRetry is an error that Temporal does not retry.
func noRetry() error {
	return temporal.NewNonRetryableApplicationError("the account is closed", "AccountClosed", nil)
}

func TestStepThatFailsForGoodCompensatesOrAsksForHelp(t *testing.T) {
	t.Parallel()
	attempts := workflow.ActivityOptions{RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3}}
	tests := map[string]struct {
		err     error
		options workflow.ActivityOptions
		tries   int
		code    string
	}{
		"not retryable": {err: noRetry(), tries: 1, code: "AccountClosed"},
		"of a type that the policy does not retry": {
			err: temporal.NewApplicationError("closed", "Closed"), tries: 1, code: "Closed", options: workflow.ActivityOptions{
				RetryPolicy: &temporal.RetryPolicy{NonRetryableErrorTypes: []string{"Closed"}},
			},
		},
		"a bound of attempts": {err: errReset, options: attempts, tries: 4, code: ""}, // one of them local
		"a bound of time":     {err: errReset, options: workflow.ActivityOptions{ScheduleToCloseTimeout: time.Minute}, tries: 9},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Hotel"] = always(tt.err)
			hotel := step("Hotel")
			hotel.Options = tt.options
			out := wantUnwound(t, w.run(t, trip(hotel), saga.Options{}), saga.Failed)
			if w.tries["Hotel"] > tt.tries || tt.code != "" && out.Cause.Code != tt.code {
				t.Errorf("%d tries, code %q", w.tries["Hotel"], out.Cause.Code)
			}
			w.wantCalls(t, "Flight", "-Hotel", "-Flight")
		})
		t.Run(name+", and asks for help", func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Hotel"] = failing1st(tt.tries+2, tt.err)
			hotel := step("Hotel")
			hotel.Options, hotel.WhenFailed = tt.options, saga.AskForHelp
			asked := 0
			wantForward(t, w.run(t, trip(hotel), saga.Options{OnAttention: func(workflow.Context, saga.Attention) { asked++ }}))
			if asked == 0 {
				t.Error("nobody was asked")
			}
			w.wantCalls(t, "Flight", "Hotel")
		})
	}
}

func TestRefusalOfAnActivityInAnotherLanguageCompensatesAndItsCodeCanBeRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		details []any
		code    string
	}{
		"code and details": {[]any{"NO_ROOM", map[string]int{"free": 0}}, "NO_ROOM"},
		"only a code":      {[]any{"NO_ROOM"}, "NO_ROOM"},
		"neither":          {nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Hotel"] = always(temporal.NewApplicationError("full", saga.RefusedType, tt.details...)) // even if retryable
			out := wantUnwound(t, w.run(t, trip(step("Hotel")), saga.Options{}), saga.Refused)
			if out.Cause.Code != tt.code || out.Cause.Message != "full" || w.tries["Hotel"] != 1 {
				t.Errorf("cause %+v after %d tries", out.Cause, w.tries["Hotel"])
			}
		})
	}
}

func TestCodeAndDetailsOfARefusalCanBeRead(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("wrapped: %w", saga.Refuse("NO_ROOM", "full", map[string]int{"free": 0}))
	var details map[string]int
	if code, ok := saga.Refusal(err, &details); code != "NO_ROOM" || !ok || details["free"] != 0 || details == nil {
		t.Errorf("%q, %t, %v", code, ok, details)
	}
	if code, ok := saga.Refusal(saga.Refuse("NO_ROOM", "full", nil), &details); code != "NO_ROOM" || ok {
		t.Errorf("without details: %q, %t", code, ok)
	}
	if _, ok := saga.Refusal(errReset, nil); ok || saga.IsRefused(errReset) {
		t.Error("a broken connection is no refusal")
	}
}

func TestOptionalStepIsLeftOutAndUndoneAfterThePivot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script func(int) error
		signal string
		want   []string
	}{
		"refused":         {refused("Seat"), "", []string{"Flight", "Confirm", "-Seat", "Tell"}},
		"fails for good":  {always(noRetry()), "", []string{"Flight", "Confirm", "-Seat", "Tell"}},
		"skipped":         {always(errReset), saga.SignalSkip, []string{"Flight", "Confirm", "-Seat", "Tell"}},
		"not interrupted": {always(errReset), saga.SignalCompensate, []string{"Flight", "-Seat", "-Flight", "Tell"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Seat"] = tt.script
			seat := step("Seat")
			seat.Optional = true
			p := trip(seat)
			p.Pivot = saga.Step{Name: "Confirm", Do: act("Confirm")}
			p.Retriable = []saga.Step{{Name: "Tell", Do: act("Tell")}}
			err := w.run(t, p, saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) {
				if tt.signal != "" {
					signal(e, time.Hour, tt.signal, alice)
				}
			})
			if tt.signal == saga.SignalCompensate {
				wantUnwound(t, err, saga.GivenUp)
			} else {
				wantForward(t, err)
			}
			w.wantCalls(t, tt.want...)
		})
	}
}

func TestOwnCodeThatFailsUnwindsWithTheTypeOfItsError(t *testing.T) {
	t.Parallel()
	w := newWorld()
	failing := func(workflow.Context) error { return temporal.NewApplicationError("no rate", "NoRate") }
	out := wantUnwound(t, w.run(t, trip(saga.Step{Name: "Rate", Do: failing}), saga.Options{}), saga.Failed)
	if out.Cause.Code != "NoRate" || out.Cause.Message != "no rate" {
		t.Errorf("cause %+v", out.Cause)
	}
}

func TestRetriableStepOfOwnCodeIsRetriedAndKeepsTheTypeOfItsError(t *testing.T) {
	t.Parallel()
	w := newWorld()
	n := 0
	p := trip(step("Hotel"))
	var kinds []string
	p.Retriable = []saga.Step{{Name: "Tell", Do: func(workflow.Context) error {
		n++
		return failing1st(27, temporal.NewApplicationError("no broker", "NoBroker"))(n)
	}}}
	wantForward(t, w.run(t, p, saga.Options{OnAttention: func(_ workflow.Context, a saga.Attention) {
		var app *temporal.ApplicationError
		if errors.As(a.Err, &app) {
			kinds = append(kinds, app.Type())
		}
	}}))
	if n != 28 || len(kinds) == 0 || kinds[0] != "NoBroker" {
		t.Errorf("%d calls, alerts about %v", n, kinds)
	}
}

func TestSagaThatWasUnwoundBeforeIsNotReportedAsDone(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(saga.Plan, workflow.Context, saga.Options) (saga.Outcome, error){
		"run": saga.Plan.Run, "recover": saga.Plan.Recover,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			env := w.env()
			p := saga.Plan{
				Steps:     []saga.Step{{Name: "Look", Do: func(workflow.Context) error { return saga.ErrStop }}, step("Flight")},
				Pivot:     saga.Step{Name: "Confirm", Do: act("Confirm")},
				Fence:     func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Ended, nil },
				Retriable: []saga.Step{{Name: "Tell", Do: act("Tell")}},
			}
			flow := func(ctx workflow.Context) (saga.Outcome, error) { return run(p, ctx, saga.Options{}) }
			env.RegisterWorkflow(flow)
			env.ExecuteWorkflow(flow)
			if _, unwound := saga.Unwound(env.GetWorkflowError()); !unwound {
				t.Errorf("got %v", env.GetWorkflowError())
			}
			w.wantCalls(t, "Tell")
		})
	}
}

func TestFenceWithAnUnknownVerdictIsBroken(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Flight"] = refused("Flight")
	n := 0
	p := saga.Plan{
		Steps: []saga.Step{step("Flight")}, Pivot: saga.Step{Name: "Confirm", Do: act("Confirm")},
		Fence: func(workflow.Context, saga.Cause) (saga.Verdict, error) {
			if n++; n < 3 {
				return 0, nil
			}
			return saga.Forward, nil
		},
	}
	wantForward(t, w.run(t, p, saga.Options{}))
	w.wantCalls(t)
}

func TestCancelledSagaEndsItsWorkflowAsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"] = always(errReset)
	err := w.run(t, trip(step("Hotel")), saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) {
		e.RegisterDelayedCallback(e.CancelWorkflow, time.Minute)
	})
	wantUnwound(t, err, saga.Cancelled)
	if !temporal.IsCanceledError(errors.Unwrap(err)) {
		t.Errorf("got %v", err)
	}
	w.wantCalls(t, "Flight", "-Hotel", "-Flight")
}

func TestRecoveryNeedsAFence(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env()
	flow := func(ctx workflow.Context) (saga.Outcome, error) {
		return trip(step("Hotel")).Recover(ctx, saga.Options{})
	}
	env.RegisterWorkflow(flow)
	env.ExecuteWorkflow(flow)
	var app *temporal.ApplicationError
	if !errors.As(env.GetWorkflowError(), &app) || app.Type() != saga.InvalidPlanType {
		t.Errorf("got %v", env.GetWorkflowError())
	}
}

// options are the activity options that must reach the server as they are given.
func TestActivityOptionsPassThrough(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var got activity.Info
	w.seen["Hotel"] = func(i activity.Info) { got = i }
	hotel := step("Hotel")
	hotel.Options = workflow.ActivityOptions{HeartbeatTimeout: 7 * time.Second, StartToCloseTimeout: 2 * time.Hour}
	wantForward(t, w.run(t, trip(hotel), saga.Options{}))
	if got.IsLocalActivity || got.HeartbeatTimeout != 7*time.Second || got.StartToCloseTimeout != 2*time.Hour {
		t.Errorf("local %t, heartbeat %s, timeout %s", got.IsLocalActivity, got.HeartbeatTimeout, got.StartToCloseTimeout)
	}
}

func TestOptionsOfTheContextApplyToEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var got activity.Info
	w.seen["Hotel"] = func(i activity.Info) { got = i }
	env := w.env()
	flow := func(ctx workflow.Context) (saga.Outcome, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: 3 * time.Minute, HeartbeatTimeout: time.Minute, TaskQueue: "elsewhere",
		})
		return trip(step("Hotel")).Run(ctx, saga.Options{})
	}
	env.RegisterWorkflow(flow)
	env.ExecuteWorkflow(flow)
	wantForward(t, env.GetWorkflowError())
	if got.IsLocalActivity || got.TaskQueue != "elsewhere" || got.HeartbeatTimeout != time.Minute {
		t.Errorf("local %t, queue %s, heartbeat %s", got.IsLocalActivity, got.TaskQueue, got.HeartbeatTimeout)
	}
}

func TestStepsThatCannotRunLocallyDoNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		tune func(*saga.Step)
		want bool
	}{
		"as usual":           {func(*saga.Step) {}, true},
		"no fast path":       {func(s *saga.Step) { s.NoFastPath = true }, false},
		"heartbeats":         {func(s *saga.Step) { s.Options.HeartbeatTimeout = time.Second }, false},
		"another task queue": {func(s *saga.Step) { s.Options.TaskQueue = "elsewhere" }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			var got bool
			w.seen["Hotel"] = func(i activity.Info) { got = i.IsLocalActivity }
			hotel := step("Hotel")
			tt.tune(&hotel)
			wantForward(t, w.run(t, trip(hotel), saga.Options{}))
			if got != tt.want {
				t.Errorf("local %t, want %t", got, tt.want)
			}
		})
	}
}

func TestHealthySlowStepGetsItsWholeTimeoutAndRaisesNoAlert(t *testing.T) {
	t.Parallel()
	w := newWorld()
	hotel := step("Hotel")
	hotel.Timeout, hotel.NoFastPath = 3*time.Hour, true // much longer than patience, and than an hour
	alerts := 0
	var token []byte
	w.seen["Hotel"] = func(i activity.Info) { token = i.TaskToken }
	w.script["Hotel"] = always(activity.ErrResultPending) // the test completes it
	wantForward(t, w.run(t, trip(hotel), saga.Options{OnAttention: func(workflow.Context, saga.Attention) { alerts++ }},
		at(2*time.Hour, func(e *testsuite.TestWorkflowEnvironment) {
			if err := e.CompleteActivity(token, nil, nil); err != nil {
				t.Error(err)
			}
		})))
	if alerts != 0 {
		t.Errorf("%d alerts about a step that takes two of its three hours", alerts)
	}
}

func TestDefaultTimeoutIsLongEnoughForAHotelThatTakesSixSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var got activity.Info
	w.seen["Hotel"] = func(i activity.Info) { got = i }
	w.script["Hotel"] = failing1st(1, errReset) // as the fast path's timeout does
	wantForward(t, w.run(t, trip(step("Hotel")), saga.Options{}))
	if got.IsLocalActivity || got.StartToCloseTimeout != saga.DefaultTimeout || saga.DefaultTimeout <= 6*time.Second {
		t.Errorf("local %t, timeout %s", got.IsLocalActivity, got.StartToCloseTimeout)
	}
}

func (w *world) None(ctx context.Context) (int, error) { return 7, w.Act(ctx, "None") }

func (w *world) Two(ctx context.Context, a, b string) error { return w.Act(ctx, a+b) }

// Number returns what a string cannot hold.
func (w *world) Number(ctx context.Context) (int, error) { return 7, w.Act(ctx, "Number") }

func TestActivityMayHaveAnyNumberOfArguments(t *testing.T) {
	t.Parallel()
	w := newWorld()
	wantForward(t, w.run(t, trip(saga.Step{Name: "Call", Do: func(ctx workflow.Context) error {
		var n int
		if err := saga.Call(ctx, w.None, &n); err != nil || n != 7 {
			return fmt.Errorf("got %d, %w", n, err)
		}
		if err := saga.Call(ctx, w.Two, nil, "1", "2"); err != nil {
			return err
		}
		return saga.Call(ctx, "Two", nil, "3", "4")
	}}), saga.Options{}))
	w.wantCalls(t, "Flight", "None", "12", "34")
	err := w.run(t, saga.Plan{Steps: []saga.Step{{Name: "Call", Do: func(ctx workflow.Context) error {
		return saga.Call(ctx, w.Two, nil, "1")
	}}}}, saga.Options{})
	if err == nil || !strings.Contains(err.Error(), "takes 2 arguments, not 1") {
		t.Errorf("got %v", err)
	}
}

func TestResultThatDoesNotDecodeIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for _, fast := range []bool{true, false} {
		t.Run(fmt.Sprintf("fast path %t", fast), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			err := w.run(t, trip(saga.Step{Name: "Number", NoFastPath: !fast, Do: func(ctx workflow.Context) error {
				var text string
				return saga.Call(ctx, w.Number, &text)
			}}), saga.Options{})
			wantUnwound(t, err, saga.Failed)
			w.wantCalls(t, "Flight", "Number", "-Flight")
		})
	}
}

func TestUndosKnowWhatTheyUndo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"] = refused("Hotel")
	p := saga.Plan{Name: "trip", Steps: []saga.Step{
		saga.Pair("Flight", saga.Value("Flight"), w.Book, w.CancelBooking),
		saga.Pair("Hotel", func(ctx workflow.Context) string {
			if ticket, ok := saga.Result[string](ctx, "Flight"); !ok || ticket != "ticket of Flight" {
				return "unknown"
			}
			return "Hotel"
		}, w.Book, w.CancelBooking),
	}}
	wantUnwound(t, w.run(t, p, saga.Options{Key: "trip-7"}), saga.Refused)
	cause := saga.Cause{Kind: saga.Refused, Step: "Hotel", Code: "NO", Message: "NO: Hotel is refused"}
	want := map[string]saga.Undoing[string, string]{
		"Flight": {Key: "trip-7/trip/Flight", Input: "Flight", Result: "ticket of Flight", Known: true, Cause: cause},
		"Hotel":  {Key: "trip-7/trip/Hotel", Input: "Hotel", Cause: cause},
	}
	for step, u := range w.undone {
		u.Cause.Err = nil
		w.undone[step] = u
	}
	if !reflect.DeepEqual(w.undone, want) {
		t.Errorf("undos %+v, want %+v", w.undone, want)
	}
}

func TestUndosOfARecoveryKnowWhatTheCallerKnows(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env()
	p := saga.Plan{
		Steps: []saga.Step{saga.Pair("Flight", saga.Value("Flight"), w.Book, w.CancelBooking)},
		Pivot: saga.Step{Name: "Confirm", Do: act("Confirm")},
		Fence: func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
	}
	flow := func(ctx workflow.Context) (saga.Outcome, error) {
		return p.Recover(ctx, saga.Options{Key: "first", Results: map[string]any{"Flight": "ticket 7"}})
	}
	env.RegisterWorkflow(flow)
	env.ExecuteWorkflow(flow)
	want := saga.Undoing[string, string]{
		Key: "first/saga/Flight", Input: "Flight", Result: "ticket 7", Known: true, Cause: saga.Cause{Kind: saga.Interrupted},
	}
	if got := w.undone["Flight"]; !reflect.DeepEqual(got, want) {
		t.Errorf("undo %+v, want %+v", got, want)
	}
}

func TestRetiredUndosRunToo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"] = refused("Hotel")
	p := trip(step("Hotel"))
	p.Retired = []*saga.Undo{{Name: "UndoTaxi", Do: act("-Taxi")}}
	wantUnwound(t, w.run(t, p, saga.Options{}), saga.Refused)
	w.wantCalls(t, "Flight", "-Hotel", "-Flight", "-Taxi")
}

func TestBranchesMayBeSequencesAndUndosMayRunSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Car"] = refused("Car")
	w.script["-B"] = failing1st(3, errReset) // so that the undos of A overtake it
	p := saga.Plan{Steps: []saga.Step{
		{Name: "Both", UndoTogether: true, Together: []saga.Step{
			{Name: "Left", Sequence: []saga.Step{step("A"), step("A2")}}, {Name: "Right", Sequence: []saga.Step{step("B")}},
		}},
		step("Car"),
	}}
	out := wantUnwound(t, w.run(t, p, saga.Options{}), saga.Refused)
	if n := len(w.calls); n != 7 || w.calls[n-1] != "-B" || len(out.Undos) != 4 {
		t.Errorf("%v, undos %v", w.calls, out.Undos)
	}
}
