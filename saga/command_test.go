package saga_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/saga"
)

var alice = saga.Command{Operator: "alice", Reason: "the gateway is back"}

// broken is a queue of faults that lasts for weeks.
func broken() []bool { return make([]bool, 100_000) }

// after calls do when d has passed, with the ledger locked.
func (l *ledger) after(env *testsuite.TestWorkflowEnvironment, d time.Duration, do func()) {
	env.RegisterDelayedCallback(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		do()
	}, d)
}

func signal(env *testsuite.TestWorkflowEnvironment, at time.Duration, name string, input any) {
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(name, input) }, at)
}

func runToEnd(t *testing.T, env *testsuite.TestWorkflowEnvironment, in shape) {
	t.Helper()
	env.ExecuteWorkflow(steps, in)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
}

func TestRetrySignalRetriesAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["Tell"] = broken()
	env := newEnv(l)
	began := env.Now()
	at := 30*time.Minute + 30*time.Second // half a minute before the next attempt
	l.after(env, at, func() { l.faults["Tell"] = nil })
	signal(env, at, saga.SignalRetry, alice)
	runToEnd(t, env, shape{Steps: []string{"A"}})
	if took := env.Now().Sub(began); took > at+5*time.Second {
		t.Errorf("the saga ended after %s, the signal came after %s", took, at)
	}
}

func TestCompensateSignalUndoesTheSagaBeforeItsPivot(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["B"] = broken()
	env := newEnv(l)
	signal(env, time.Minute, saga.SignalCompensate, alice)
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true, "B": true}})
	if !l.finished || l.done["A"] {
		t.Errorf("finished %t, done %v", l.finished, l.done)
	}
}

func TestCompensateSignalDuringALocalAttemptThatBreaksUndoesTheSaga(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["B"] = broken()
	env := newEnv(l)
	env.SetOnLocalActivityStartedListener(func(_ *activity.Info, _ context.Context, args []any) {
		if len(args) == 1 && args[0] == "B" {
			env.SignalWorkflow(saga.SignalCompensate, alice)
		}
	})
	began := env.Now()
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true, "B": true}})
	if took := env.Now().Sub(began); !l.finished || took > time.Minute {
		t.Errorf("finished %t after %s", l.finished, took)
	}
}

func TestSkipSignalSkipsAnUndoThatCannotSucceed(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.refuse, l.faults["-A"] = "B", broken()
	env := newEnv(l)
	signal(env, time.Hour, saga.SignalSkip, saga.Command{Operator: "alice", Reason: "refunded by hand", Step: "UndoA"})
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true, "B": true}})
	if !l.finished || !l.done["A"] || l.done["B"] {
		t.Errorf("finished %t, done %v", l.finished, l.done)
	}
}

func TestUndoThatStaysBrokenDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.refuse, l.faults["-B"] = "C", broken()
	env := newEnv(l)
	undone := false
	l.after(env, 20*time.Minute, func() {
		undone = l.tombstone["A"]
		l.faults["-B"] = nil
	})
	runToEnd(t, env, shape{Steps: []string{"A", "B", "C"}, Undoable: map[string]bool{"A": true, "B": true}})
	if !undone {
		t.Error("A was not undone while the undo of B was broken")
	}
	if !l.finished || l.done["B"] {
		t.Errorf("finished %t, done %v", l.finished, l.done)
	}
}

func TestSignalThatMakesNoSenseChangesNothingAndSaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		broken, signal string
		input          any
		want           string
	}{
		"skip of a forward step": {"A", saga.SignalSkip, alice, "waits for nothing"},
		"skip of the fence":      {"Close", saga.SignalSkip, alice, "waits for nothing"},
		"skip of the finish":     {"Finish", saga.SignalSkip, alice, "waits for nothing"},
		"skip of another step": {
			"-A", saga.SignalSkip, saga.Command{Operator: "a", Reason: "b", Step: "UndoB"}, `no step or undo is named "UndoB"`,
		},
		"compensate after the fence": {"-A", saga.SignalCompensate, alice, "already decided"},
		"compensate after the pivot": {"Tell", saga.SignalCompensate, alice, "already decided"},
		"no operator":                {"Tell", saga.SignalRetry, saga.Command{Reason: "x"}, `needs an "operator"`},
		"no such signal":             {"Tell", "restart", alice, "a saga knows retry, compensate and skip"},
		"no such signal, undoing":    {"-A", "restart", alice, "a saga knows retry, compensate and skip"},
		"not an object":              {"Tell", saga.SignalRetry, "now", "want an object with"},
		"another type":               {"-A", saga.SignalSkip, map[string]any{"operator": 7, "reason": "x"}, "operator"},
		"a misspelt field": {
			"-A", saga.SignalSkip, map[string]any{"operator": "a", "reason": "x", "stepp": "UndoB"}, `unknown field "stepp"`,
		},
		"nothing": {"Tell", saga.SignalRetry, nil, `needs an "operator"`},
		"too long": {
			"Tell", saga.SignalRetry, saga.Command{Operator: "a", Reason: strings.Repeat("x", 501)}, "500 bytes",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			l.faults[tt.broken] = broken()
			if tt.broken != "A" && tt.broken != "Tell" {
				l.refuse = "B" // so that the saga is undone
			}
			env := newEnv(l)
			signal(env, 30*time.Minute, tt.signal, tt.input)
			var said string
			env.RegisterDelayedCallback(func() { said = currentDetails(t, env) }, 31*time.Minute)
			l.after(env, 32*time.Minute, func() { l.faults[tt.broken] = nil })
			runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true}})
			if !strings.Contains(said, "changed nothing") || !strings.Contains(said, tt.want) {
				t.Errorf("current details: %q, want %q", said, tt.want)
			}
			if l.confirmed == l.finished || l.finished && l.done["A"] {
				t.Errorf("confirmed %t, finished %t, done %v", l.confirmed, l.finished, l.done)
			}
		})
	}
}

func TestDetailsSayWhichSignalsHelp(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]string{"A": "retry compensate", "-A": "retry skip", "Close": "retry", "Tell": "retry skip"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			l.faults[step] = broken()
			if step == "-A" || step == "Close" {
				l.refuse = "B"
			}
			env := newEnv(l)
			var said string
			env.RegisterDelayedCallback(func() { said = currentDetails(t, env) }, 30*time.Minute)
			l.after(env, 31*time.Minute, func() { l.faults[step] = nil })
			runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true}})
			var got []string
			for _, s := range []string{saga.SignalRetry, saga.SignalCompensate, saga.SignalSkip} {
				if strings.Contains(said, "`"+s+"`") {
					got = append(got, s)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("signals %v, want %s, in %q", got, want, said)
			}
		})
	}
}
