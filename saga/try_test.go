package saga_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// priced is a step that tries "Price", does "Store" if that breaks, and goes on with "Price".
func priced(options ...func(*saga.Step)) saga.Step {
	var w *world
	s := step("Price")
	s.Do = func(ctx workflow.Context) error {
		_, err := saga.Try(ctx, w.Book, "Price")
		if !saga.IsBroken(err) {
			return err
		}
		if err := saga.Do(ctx, w.Act, "Store"); err != nil {
			return err
		}
		return saga.Do(ctx, w.Act, "Price")
	}
	for _, set := range options {
		set(&s)
	}
	return s
}

func regularly(s *saga.Step) { s.NoFastPath = true }

func TestTryMakesOneAttemptAndTheStepDecidesWhatFollows(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][]func(*saga.Step){"locally": nil, "regularly": {regularly}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("it works", func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				wantForward(t, w.run(t, trip(priced(how...)), saga.Options{}))
				w.wantCalls(t, "Flight", "Price")
			})
			t.Run("it breaks", func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.script["Price"] = failing1st(3, errReset)
				wantForward(t, w.run(t, trip(priced(how...)), saga.Options{}))
				w.wantCalls(t, "Flight", "Store", "Price")
				if w.tries["Price"] != 4 {
					t.Errorf("%d tries, want 1 and then 3", w.tries["Price"])
				}
			})
			t.Run("it is refused", func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.script["Price"] = refused("Price")
				wantUnwound(t, w.run(t, trip(priced(how...)), saga.Options{}), saga.Refused)
				w.wantCalls(t, "Flight", "-Price", "-Flight")
			})
			t.Run("it fails for good", func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.script["Price"] = always(noRetry())
				wantUnwound(t, w.run(t, trip(priced(how...)), saga.Options{}), saga.Failed)
				w.wantCalls(t, "Flight", "-Price", "-Flight")
			})
			t.Run("the saga is cancelled meanwhile", func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				var env *testsuite.TestWorkflowEnvironment
				w.script["Price"] = func(int) error { env.CancelWorkflow(); return errReset }
				err := w.run(t, trip(priced(how...)), saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) { env = e })
				wantUnwound(t, err, saga.Cancelled)
				w.wantCalls(t, "Flight", "-Price", "-Flight")
			})
		})
	}
}

// receipt is a result that is possible only when it names something.
type receipt struct{ ID, Note string }

func (r receipt) possible() error {
	if r.ID == "" {
		return errors.New("no ID")
	}
	return nil
}

func TestAnImpossibleResultIsABrokenAttempt(t *testing.T) {
	t.Parallel()
	for name, fast := range map[string]bool{"locally": true, "regularly": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			charge := func(context.Context, string) (receipt, error) {
				if calls++; calls <= 2 {
					return receipt{Note: "completed by hand"}, nil
				}
				return receipt{ID: "pi_1"}, nil
			}
			var got receipt
			hotel := saga.Step{Name: "Charge", NoFastPath: !fast, Do: func(ctx workflow.Context) (err error) {
				got, err = saga.Execute(ctx, charge, "x", receipt.possible)
				return err
			}}
			w := newWorld()
			err := w.run(t, trip(hotel), saga.Options{}, func(e *testsuite.TestWorkflowEnvironment) { e.RegisterActivity(charge) })
			wantForward(t, err)
			if calls != 3 || got != (receipt{ID: "pi_1"}) {
				t.Errorf("%d calls, result %+v: want the first possible one and nothing else", calls, got)
			}
		})
	}
}

func TestResultsThatStayImpossibleNeedAttention(t *testing.T) {
	t.Parallel()
	charge := func(context.Context, string) (receipt, error) { return receipt{}, nil }
	hotel := saga.Step{Name: "Charge", Do: func(ctx workflow.Context) error {
		_, err := saga.Execute(ctx, charge, "x", receipt.possible)
		return err
	}}
	var asked saga.Attention
	options := saga.Options{PivotTimeout: time.Hour, OnAttention: func(_ workflow.Context, a saga.Attention) { asked = a }}
	w := newWorld()
	err := w.run(t, trip(hotel), options, func(e *testsuite.TestWorkflowEnvironment) { e.RegisterActivity(charge) })
	wantUnwound(t, err, saga.TimedOut)
	if asked.Step != "Charge" || asked.Err == nil || asked.Err.Error() != "the result is impossible: no ID" {
		t.Errorf("attention %+v", asked)
	}
}
