package saga_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// lock is an outside system that opens only at a given attempt, when the right key is there.
type lock struct{ attempts, opensAt int }

func (l *lock) Open(context.Context, string) error {
	l.attempts++
	if l.attempts < l.opensAt {
		return saga.NeedsAttention(errors.New("the key does not fit"))
	}
	return nil
}

func (*lock) Close(context.Context, string) error { return nil }

func TestErrorThatOnlyAPersonCanPutRightNeedsAttentionAtOnceAndHeals(t *testing.T) {
	t.Parallel()
	l := &lock{opensAt: 4}
	open := func(ctx workflow.Context) error { return saga.Do(ctx, l.Open, "") }
	shut := func(ctx workflow.Context) error { return saga.Do(ctx, l.Close, "") }
	opening := func(ctx workflow.Context) error {
		return saga.Plan{
			Steps:  []saga.Step{{Name: "Open", Do: open}},
			Pivot:  saga.Step{Name: "Enter", Do: shut},
			Fence:  func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
			Finish: saga.Step{Name: "Leave", Do: shut},
		}.Run(ctx, saga.Options{PivotTimeout: time.Hour})
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterWorkflow(opening)
	env.RegisterActivity(l)
	said := map[time.Duration]string{}
	for _, at := range []time.Duration{10 * time.Second, 90 * time.Second} {
		env.RegisterDelayedCallback(func() { said[at] = currentDetails(t, env) }, at)
	}
	began := env.Now()
	env.ExecuteWorkflow(opening)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	for at, text := range said {
		if !strings.Contains(text, "**Open** stays broken") || !strings.Contains(text, "the key does not fit") {
			t.Errorf("current details after %s: %q", at, text)
		}
	}
	// One local attempt, one regular one, then one a minute.
	if took := env.Now().Sub(began); l.attempts != 4 || took < 2*time.Minute || took > 3*time.Minute {
		t.Errorf("%d attempts in %s", l.attempts, took)
	}
}
