package saga_test

import (
	"reflect"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// failing is a workflow that fails when its saga was unwound.
func failing(ctx workflow.Context, in shape) (saga.Outcome, error) {
	return plan(in).Run(ctx, saga.Options{})
}

func TestErrorOfAnUnwoundSagaHasTheFirstCauseAndEveryUndo(t *testing.T) {
	t.Parallel()
	undone := func(name string) saga.UndoOutcome { return saga.UndoOutcome{Name: name, Outcome: saga.EntryUndone} }
	tests := map[string]struct {
		skip bool
		want []saga.UndoOutcome
	}{
		"all is undone": {want: []saga.UndoOutcome{undone("UndoB"), undone("UndoA")}},
		"one is skipped": {
			skip: true, want: []saga.UndoOutcome{undone("UndoA"), {Name: "UndoB", Outcome: saga.EntrySkipped}},
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
			env.ExecuteWorkflow(failing, shape{Steps: []string{"A", "B", "C"}, Undoable: map[string]bool{"A": true, "B": true}})
			got, ok := saga.Unwound(env.GetWorkflowError())
			if !ok {
				t.Fatalf("%v is not the error of an unwound saga", env.GetWorkflowError())
			}
			want := saga.Outcome{Saga: "saga", End: saga.WasUnwound, Undos: tt.want,
				Cause: &saga.Cause{Kind: saga.Refused, Step: "C", Code: "NO", Message: "NO: C is refused"}}
			for i := range got.Undos {
				got.Undos[i].At = time.Time{}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("outcome %+v, want %+v", got, want)
			}
		})
	}
}
