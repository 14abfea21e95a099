package saga_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func TestAlarmIsRaisedBesideTheSagaWhichDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["A"] = make([]bool, 100) // about an hour and a half of retries
	var raised []saga.Trouble
	alarmed := func(ctx workflow.Context, in shape) error {
		return plan(in).Run(ctx, saga.Options{OnTrouble: func(ctx workflow.Context, t saga.Trouble) {
			raised = append(raised, t)
			_ = workflow.Sleep(ctx, 1000*time.Hour) // an alarm that nobody hears
		}})
	}
	env := newEnv(l)
	env.RegisterWorkflow(alarmed)
	began := env.Now()
	env.ExecuteWorkflow(alarmed, shape{Steps: []string{"A"}})
	if err := env.GetWorkflowError(); err != nil || !l.confirmed {
		t.Fatalf("the saga did not go on: %v", err)
	}
	if len(raised) < 2 {
		t.Fatalf("%d alarms in more than an hour of trouble, want another one every hour", len(raised))
	}
	for _, r := range raised {
		got := saga.Trouble{Step: r.Step, Since: r.Since, CanGiveUp: r.CanGiveUp, CanSkip: r.CanSkip}
		want := saga.Trouble{Step: "A", Since: raised[0].Since, CanGiveUp: true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("trouble (-want +got):\n%s", diff)
		}
		if r.Message() == "" || r.Advice() == "" {
			t.Errorf("the alarm says neither what is wrong nor what can be done: %q, %q", r.Message(), r.Advice())
		}
	}
	// The test environment gives up after ten attempts, two minutes, where the server goes on to the end of the patience.
	if after := raised[0].Since.Sub(began); after < 2*time.Minute || after > saga.DefaultStepPatience+time.Minute {
		t.Errorf("the first alarm after %s, want 2 to 6 minutes", after)
	}
}
