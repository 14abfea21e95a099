package saga_test

import (
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func TestOperatorsAreAlertedEveryHourAndTheSagaDoesNotWaitForThem(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["A"] = make([]bool, 100) // about an hour and a half of retries
	var alerts []saga.Attention
	alerting := func(ctx workflow.Context, in shape) error {
		return settled(plan(in).Run(ctx, saga.Options{OnAttention: func(ctx workflow.Context, a saga.Attention) {
			alerts = append(alerts, a)
			_ = workflow.Sleep(ctx, 1000*time.Hour) // a broker that never responds
		}}))
	}
	env := newEnv(l)
	env.RegisterWorkflow(alerting)
	began := env.Now()
	env.ExecuteWorkflow(alerting, shape{Steps: []string{"A"}})
	if err := env.GetWorkflowError(); err != nil || !l.confirmed {
		t.Fatalf("the saga did not go on: %v", err)
	}
	if len(alerts) < 2 {
		t.Fatalf("%d alerts in more than an hour, want another one every hour", len(alerts))
	}
	for _, a := range alerts {
		got := saga.Attention{Saga: a.Saga, Step: a.Step, Since: a.Since, CanRetry: a.CanRetry, CanGiveUp: a.CanGiveUp, CanSkip: a.CanSkip}
		want := saga.Attention{Saga: "saga", Step: "A", Since: alerts[0].Since, CanRetry: true, CanGiveUp: true}
		if got != want {
			t.Errorf("attention %+v, want %+v", got, want)
		}
		if a.Message() == "" || a.Advice() == "" {
			t.Errorf("the alert says neither what is wrong nor what an operator can do: %q, %q", a.Message(), a.Advice())
		}
	}
	// The test environment gives up after ten attempts, two minutes; the server retries until patience runs out.
	if after := alerts[0].Since.Sub(began); after < 2*time.Minute || after > saga.DefaultStepPatience+time.Minute {
		t.Errorf("the first alert came after %s, want 2 to 6 minutes", after)
	}
}
