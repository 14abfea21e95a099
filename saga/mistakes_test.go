package saga_test

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func TestMistakeInAPlansCodeIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	var l *ledger
	tests := map[string]struct {
		do   func(ctx workflow.Context) error
		want string
	}{
		"outside of a step":      {func(ctx workflow.Context) error { return saga.Execute(ctx, l.Do, "A", nil) }, "outside a step"},
		"nil for an activity":    {inStep(func(ctx workflow.Context) error { return saga.Execute(ctx, nil, "A", nil) }), "want an activity"},
		"a value, no activity":   {inStep(func(ctx workflow.Context) error { return saga.Execute(ctx, 42, "A", nil) }), "want an activity"},
		"a step that has ended":  {afterStep, "has ended"},
		"a plan without a fence": {func(ctx workflow.Context) error { return saga.Plan{}.Run(ctx, saga.Options{}) }, "no fence"},
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
				t.Errorf("something was done: %v", l.log)
			}
		})
	}
}

// inStep returns a workflow with do as its first step.
func inStep(do saga.Func) func(ctx workflow.Context) error {
	return func(ctx workflow.Context) error {
		p := plan(shape{Steps: []string{"A"}})
		p.Steps[0].Do = do
		return p.Run(ctx, saga.Options{})
	}
}

// afterStep goes on with a step whose saga has ended.
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
	if err := p.Run(ctx, saga.Options{}); err != nil {
		return err
	}
	return saga.Execute(kept, l.Do, "A", nil)
}
