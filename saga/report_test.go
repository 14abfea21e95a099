package saga_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// failing is a workflow that fails when its saga was unwound. With "wrong", an undo of its plan has a bug.
func failing(ctx workflow.Context, in shape) error {
	p := plan(in)
	if in.Undoable["wrong"] {
		p.Steps[1].Undo = saga.Undo{Name: "UndoB", Do: func(workflow.Context) error { return errors.New("a bug") }}
	}
	var failure error
	err := p.Run(ctx, saga.Options{Unwound: func(r saga.Report) { failure = r.Failure() }})
	if err != nil {
		return err
	}
	return failure
}

func TestFailureReportsTheFirstCauseAndEveryUndo(t *testing.T) {
	t.Parallel()
	undone := func(name string) saga.UndoOutcome { return saga.UndoOutcome{Name: name, Outcome: saga.EntryUndone} }
	tests := map[string]struct {
		skip  bool
		wrong bool
		want  []saga.UndoOutcome
	}{
		"all is undone": {want: []saga.UndoOutcome{undone("UndoB"), undone("UndoA")}},
		"one is skipped": {
			skip: true, want: []saga.UndoOutcome{undone("UndoA"), {Name: "UndoB", Outcome: saga.EntrySkipped}},
		},
		"one has a bug, the others run": {
			wrong: true, want: []saga.UndoOutcome{{Name: "UndoB", Outcome: saga.EntryNotDone, Detail: "a bug"}, undone("UndoA")},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			l.refuse = "C"
			env := newEnv(l)
			env.RegisterWorkflow(failing)
			if tt.skip {
				l.faults["-B"] = broken()
				signal(env, time.Hour, saga.SignalSkip, saga.Command{Operator: "alice", Reason: "by hand", Step: "UndoB"})
			}
			undoable := map[string]bool{"A": true, "B": true, "wrong": tt.wrong}
			env.ExecuteWorkflow(failing, shape{Steps: []string{"A", "B", "C"}, Undoable: undoable})
			var app *temporal.ApplicationError
			var got saga.Report
			if err := env.GetWorkflowError(); !errors.As(err, &app) || app.Details(&got) != nil {
				t.Fatalf("%v has no report", err)
			}
			want := saga.Report{Kind: saga.Refused, Step: "C", Message: "NO: C is refused", Undos: tt.want}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(saga.UndoOutcome{}, "At")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}
