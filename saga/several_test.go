package saga_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// named returns a plan whose steps have the name in theirs.
func named(name string, steps ...saga.Step) saga.Plan { return saga.Plan{Name: name, Steps: steps} }

// runFlow runs the workflow in the world.
func (w *world) runFlow(t *testing.T, flow func(workflow.Context) error, prepare ...func(*testsuite.TestWorkflowEnvironment)) error {
	t.Helper()
	env := w.env()
	env.RegisterWorkflowWithOptions(flow, workflow.RegisterOptions{Name: "flow"})
	for _, f := range prepare {
		f(env)
	}
	env.ExecuteWorkflow("flow")
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not complete")
	}
	return env.GetWorkflowError()
}

func at(d time.Duration, f func(*testsuite.TestWorkflowEnvironment)) func(*testsuite.TestWorkflowEnvironment) {
	return func(e *testsuite.TestWorkflowEnvironment) { e.RegisterDelayedCallback(func() { f(e) }, d) }
}

func send(d time.Duration, name string, c any) func(*testsuite.TestWorkflowEnvironment) {
	return at(d, func(e *testsuite.TestWorkflowEnvironment) { e.SignalWorkflow(name, c) })
}

func TestNestedSagaThatIsRefusedRefusesTheSagaAroundIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Room"] = refused("Room")
	inner := saga.Step{Name: "Hotel", Do: func(ctx workflow.Context) error {
		_, err := named("hotel", step("Deposit"), step("Room")).Run(ctx, saga.Options{})
		return err
	}}
	out := wantUnwound(t, w.run(t, trip(inner), saga.Options{}), saga.Refused)
	if out.Cause.Code != "NO" || out.Cause.Step != "Hotel" {
		t.Errorf("cause %+v", out.Cause)
	}
	w.wantCalls(t, "Flight", "Deposit", "-Room", "-Deposit", "-Flight")
}

func TestNestedSagaInAnUndoIsNotInterruptedAndIsRetried(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"], w.script["Refund"] = refused("Hotel"), failing1st(1, saga.Refuse("NO", "not yet", nil))
	flight := step("Flight")
	flight.Undo.Do = func(ctx workflow.Context) error {
		_, err := named("refund", step("Refund")).Run(ctx, saga.Options{})
		return err
	}
	wantUnwound(t, w.run(t, saga.Plan{Steps: []saga.Step{flight, step("Hotel")}}, saga.Options{}), saga.Refused)
	w.wantCalls(t, "Flight", "-Hotel", "-Refund", "Refund")
}

// twoSagas runs two sagas side by side, each of which waits at its own step.
func twoSagas(prefix string) func(ctx workflow.Context) error {
	return func(ctx workflow.Context) error {
		ended := 0
		for _, name := range []string{"flight", "hotel"} {
			workflow.Go(ctx, func(ctx workflow.Context) {
				_, _ = named(name, step("A "+name), step("B "+name)).Run(ctx, saga.Options{SignalPrefix: prefix})
				ended++
			})
		}
		return workflow.Await(ctx, func() bool { return ended == 2 })
	}
}

func TestSagasSideBySideHaveTheirOwnOperatorsCommands(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		command saga.Command
		undone  []string
		reply   string
	}{
		"by step":    {saga.Command{Step: "B hotel"}, []string{"hotel"}, "Last signal"},
		"by saga":    {saga.Command{Saga: "flight"}, []string{"flight"}, "Last signal"},
		"unclear":    {saga.Command{}, nil, "name the saga"},
		"wrong saga": {saga.Command{Saga: "taxi"}, nil, `no saga is named "taxi"`},
		"wrong step": {saga.Command{Step: "B taxi"}, nil, `no step or undo is named "B taxi"`},
		"past step":  {saga.Command{Step: "A hotel"}, nil, "the saga is not at A hotel"},
	}
	for name, tt := range tests {
		for _, prefix := range []string{"", "trip-"} {
			t.Run(name+" "+prefix, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.script["B flight"], w.script["B hotel"] = always(errReset), always(errReset)
				tt.command.Operator, tt.command.Reason = "alice", "why not"
				var said string
				err := w.runFlow(t, twoSagas(prefix), send(time.Hour, prefix+saga.SignalCompensate, tt.command),
					at(61*time.Minute, func(e *testsuite.TestWorkflowEnvironment) { said = currentDetails(t, e) }),
					at(62*time.Minute, func(*testsuite.TestWorkflowEnvironment) {
						w.mu.Lock()
						defer w.mu.Unlock()
						w.script["B flight"], w.script["B hotel"] = nil, nil
					}))
				wantForward(t, err)
				for _, saga := range []string{"flight", "hotel"} {
					if got, want := w.did("-A "+saga) > 0, slices.Contains(tt.undone, saga); got != want {
						t.Errorf("%s undone %t, want %t", saga, got, want)
					}
				}
				if !strings.Contains(said, tt.reply) {
					t.Errorf("current details %q, want %q", said, tt.reply)
				}
			})
		}
	}
}

func TestCompensateOfANestedSagaGivesUpTheOutermostUnlessItNamesAStep(t *testing.T) {
	t.Parallel()
	for step1, want := range map[string]saga.CauseKind{"": saga.GivenUp, "Room": saga.GivenUp} {
		t.Run("step "+step1, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Room"] = always(errReset)
			inner := saga.Step{Name: "Hotel", Do: func(ctx workflow.Context) error {
				_, err := named("hotel", step("Deposit"), step("Room")).Run(ctx, saga.Options{})
				return err
			}}
			out := wantUnwound(t, w.run(t, trip(inner), saga.Options{},
				send(time.Hour, saga.SignalCompensate, saga.Command{Operator: "alice", Reason: "why not", Step: step1})), want)
			if out.Cause.By == nil || out.Cause.By.Operator != "alice" {
				t.Errorf("cause %+v", out.Cause)
			}
			w.wantCalls(t, "Flight", "Deposit", "-Room", "-Deposit", "-Flight")
		})
	}
}

func TestWorkflowKeepsItsOwnSignalsAndDetails(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"] = always(errReset)
	var said []string
	var own string
	look := func(e *testsuite.TestWorkflowEnvironment) { said = append(said, currentDetails(t, e)) }
	err := w.runFlow(t, func(ctx workflow.Context) error {
		workflow.SetCurrentDetails(ctx, "my own words")
		if _, err := trip(step("Hotel")).Run(ctx, saga.Options{}); err != nil {
			return err
		}
		workflow.GetSignalChannel(ctx, "retry-later").Receive(ctx, &own)
		return nil
	}, send(time.Minute, "retry-later", "mine"), at(time.Hour, look),
		at(2*time.Hour, func(*testsuite.TestWorkflowEnvironment) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.script["Hotel"] = nil
		}))
	wantForward(t, err)
	if own != "mine" {
		t.Errorf("the workflow's own signal brought %q", own)
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "my own words\n\n### This saga") || strings.Contains(said[0], "changed nothing") {
		t.Errorf("current details %q", said)
	}
}

func TestSecondSagaOfAWorkflowHasTheSignalsOfTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["B hotel"] = always(errReset)
	var second error
	err := w.runFlow(t, func(ctx workflow.Context) error {
		if _, err := named("flight", step("A flight")).Run(ctx, saga.Options{}); err != nil {
			return err
		}
		_, second = named("hotel", step("B hotel")).Run(ctx, saga.Options{})
		return nil
	}, send(time.Hour, saga.SignalCompensate, alice))
	wantForward(t, err)
	wantUnwound(t, second, saga.GivenUp)
}

func TestTimelineOfAllSagasCanBeQueried(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env()
	flow := twoSagas("")
	env.RegisterWorkflow(flow)
	env.ExecuteWorkflow(flow)
	value, err := env.QueryWorkflow(saga.QueryTimeline)
	if err != nil {
		t.Fatal(err)
	}
	var got []saga.Entry
	if err := value.Get(&got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range got {
		lines = append(lines, e.Saga+" "+e.Step+" "+string(e.Kind))
	}
	slices.Sort(lines)
	want := []string{"flight A flight DONE", "flight B flight DONE", "hotel A hotel DONE", "hotel B hotel DONE"}
	if !slices.Equal(lines, want) {
		t.Errorf("timeline %q", lines)
	}
}

func TestStepNeedsAttentionUntilAllItsCallsHaveHealed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["one"], w.script["two"] = failing1st(30, errReset), failing1st(60, errReset)
	both := saga.Step{Name: "Both", Do: func(ctx workflow.Context) error {
		ended := 0
		for _, name := range []string{"one", "two"} {
			workflow.Go(ctx, func(ctx workflow.Context) {
				_ = saga.Do(ctx, w.Act, name)
				ended++
			})
		}
		return saga.Await(ctx, func() bool { return ended == 2 })
	}}
	var said string
	wantForward(t, w.run(t, saga.Plan{Steps: []saga.Step{both}}, saga.Options{},
		at(35*time.Minute, func(e *testsuite.TestWorkflowEnvironment) { said = currentDetails(t, e) })))
	if w.did("one") != 1 || strings.Count(said, "**Both** stays broken") != 1 {
		t.Errorf("current details after one of two calls has healed: %q", said)
	}
}

func TestAlertMayCallActivitiesAndDoesNotHoldUpASagaThatHasHealed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"], w.script["alert"] = failing1st(20, errReset), always(errReset)
	alerts := 0
	wantForward(t, w.run(t, trip(step("Hotel")), saga.Options{OnAttention: func(ctx workflow.Context, _ saga.Attention) {
		if err := saga.Do(ctx, w.Act, "alert"); err != nil {
			alerts++
		}
	}}))
	if alerts != 1 || w.tries["alert"] != 1 {
		t.Errorf("%d alerts failed after %d tries", alerts, w.tries["alert"])
	}
}

func TestDetailsSayHowSoonItIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.script["Hotel"], w.script["-Flight"] = refused("Hotel"), failing1st(12, saga.Refuse("NO", "not yet", nil))
	var said []string
	look := func(e *testsuite.TestWorkflowEnvironment) { said = append(said, currentDetails(t, e)) }
	wantUnwound(t, w.run(t, trip(step("Hotel")), saga.Options{}, at(30*time.Second, look), at(5*time.Hour, look)), saga.Refused)
	if len(said) != 2 || !strings.Contains(said[0], "tried again in 1m0s") || !strings.Contains(said[1], "tried again in 1h0m0s") {
		t.Errorf("current details %q", said)
	}
}

func TestNoSearchAttributesAreSetUnlessTheyAreNamed(t *testing.T) {
	t.Parallel()
	for _, a := range []saga.Attributes{{}, saga.DefaultAttributes(), {Status: "MyStatus"}} {
		t.Run("status "+a.Status, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.script["Hotel"] = failing1st(40, errReset)
			var got []string
			wantForward(t, w.runFlow(t, func(ctx workflow.Context) error {
				_, err := trip(step("Hotel")).Run(ctx, saga.Options{Attributes: a})
				for key := range workflow.GetTypedSearchAttributes(ctx).GetUntypedValues() {
					got = append(got, key.GetName())
				}
				return err
			}))
			slices.Sort(got)
			want := slices.DeleteFunc(a.Names(), func(name string) bool { return name == a.Error }) // unset once it has healed
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("attributes %v, want %v", got, want)
			}
		})
	}
}
