package saga_test

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func TestMistakeInAPlansCodeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	var l *ledger
	tests := map[string]struct {
		do   func(ctx workflow.Context) error
		want string
	}{
		"outside a step":        {func(ctx workflow.Context) error { return saga.Do(ctx, l.Do, "A") }, "outside a step"},
		"a step that has ended": {afterStep, "has ended"},
		"a plan without steps":  {func(ctx workflow.Context) error { return settled(saga.Plan{}.Run(ctx, saga.Options{})) }, "neither steps nor a pivot"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			env := newEnv(l)
			env.RegisterWorkflow(tt.do)
			env.ExecuteWorkflow(tt.do)
			if err := env.GetWorkflowError(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(l.log) > 0 {
				t.Errorf("an activity took effect: %v", l.log)
			}
		})
	}
}

// afterStep calls an activity in a step whose saga has ended.
func afterStep(ctx workflow.Context) error {
	var kept workflow.Context
	var l *ledger
	never := func(workflow.Context) error { return nil }
	p := saga.Plan{
		Steps:  []saga.Step{{Name: "A", Do: func(ctx workflow.Context) error { kept = ctx; return nil }}},
		Pivot:  saga.Step{Name: "Pivot", Do: never},
		Fence:  func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
		Finish: saga.Step{Name: "Finish", Do: never},
	}
	if _, err := p.Run(ctx, saga.Options{}); err != nil {
		return err
	}
	return saga.Do(kept, l.Do, "A")
}
