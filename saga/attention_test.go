package saga_test

import (
	"context"
	"errors"
	"slices"
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
		return settled(saga.Plan{
			Steps:  []saga.Step{{Name: "Open", Do: open}},
			Pivot:  saga.Step{Name: "Enter", Do: shut},
			Fence:  func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
			Finish: saga.Step{Name: "Leave", Do: shut},
		}.Run(ctx, saga.Options{PivotTimeout: time.Hour}))
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

func TestTimelineSaysWhetherABrokenStepHealedOrWasGivenUp(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		signal string
		want   []string
	}{
		"it heals": {"", []string{"FELL_BACK A", "NEEDS_ATTENTION A", "HEALED A", "DONE A"}},
		"given up": {saga.SignalCompensate, []string{
			"FELL_BACK A", "NEEDS_ATTENTION A", "COMMAND ", "GIVEN_UP A", "NOT_DONE A",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			l.faults["A"] = make([]bool, 30) // about 13 minutes of retries
			var got []string
			watched := func(ctx workflow.Context, in shape) error {
				p := plan(in)
				p.Retriable[0].Do = func(ctx workflow.Context) error {
					for _, e := range saga.Timeline(ctx)[:len(tt.want)] {
						got = append(got, string(e.Kind)+" "+e.Step)
					}
					return nil
				}
				return settled(p.Run(ctx, saga.Options{}))
			}
			env := newEnv(l)
			env.RegisterWorkflow(watched)
			if tt.signal != "" {
				signal(env, 12*time.Minute, tt.signal, alice)
			}
			env.ExecuteWorkflow(watched, shape{Steps: []string{"A"}})
			if err := env.GetWorkflowError(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("timeline %q, want %q", got, tt.want)
			}
		})
	}
}
