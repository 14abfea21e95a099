package saga_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// historyFiles holds histories from a real server, one for each path, in a folder for each release. They must replay under
// every later release of the library, since sagas that began under an older one may still be running. See TestRecordHistories.
const historyFiles = "testdata/histories"

// actor holds the activities of the recorded workflows. They all call one function, which the recorder disturbs.
type actor struct{ act func(name string) error }

func (a *actor) Act(_ context.Context, name string) (string, error) {
	return "did " + name, a.act(name)
}

func (a *actor) Undo(_ context.Context, in saga.Undoing[string, string]) error {
	return a.act("-" + in.Input)
}

func (a *actor) Close(context.Context, string) (saga.Verdict, error) {
	return saga.Backward, a.act("close")
}

func (a *actor) FindClosed(context.Context, string) (saga.Verdict, error) {
	return saga.Forward, a.act("close")
}

func acting(name string) saga.Step {
	var a *actor
	return saga.Pair(name, saga.Value(name), a.Act, a.Undo)
}

// only is a step without an undo.
func only(name string) saga.Step {
	s := acting(name)
	s.Undo = nil
	return s
}

// recordedPlans are the shapes of the recorded sagas. To change one is to break its histories.
func recordedPlans() map[string]saga.Plan {
	var a *actor
	steps := []saga.Step{acting("A"), {Name: "BC", Together: []saga.Step{
		acting("B"), {Name: "CD", Sequence: []saga.Step{acting("C"), acting("D")}},
	}}}
	fence := func(activity func(context.Context, string) (saga.Verdict, error)) saga.Fence {
		return func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			return saga.Execute(ctx, activity, "close")
		}
	}
	retriable := []saga.Step{only("tell")}
	inner := saga.Plan{Name: "inner", Steps: []saga.Step{acting("X"), acting("Y")}}
	optional := acting("maybe")
	optional.Optional = true
	return map[string]saga.Plan{
		"steps": {Name: "steps", Steps: steps, Retriable: retriable},
		"pivot": {Name: "pivot", Steps: steps, Pivot: only("pivot"), Finish: only("finish"), Retriable: retriable},
		"fence": {
			Name: "fence", Steps: steps, Pivot: only("pivot"), Fence: fence(a.Close), Finish: only("finish"),
			Retriable: retriable,
		},
		"closed": {
			Name: "closed", Steps: steps, Pivot: only("pivot"), Fence: fence(a.FindClosed), Finish: only("finish"),
			Retriable: retriable,
		},
		"nested": {Name: "nested", Steps: []saga.Step{acting("A"), {Name: "inner", Do: func(ctx workflow.Context) error {
			_, err := inner.Run(ctx, saga.Options{})
			return err
		}, Undo: &saga.Undo{Name: "UndoInner", Do: func(ctx workflow.Context) error {
			_, err := saga.Execute(ctx, a.Act, "-inner")
			return err
		}}}, acting("B")}},
		"optional": {Name: "optional", Steps: []saga.Step{acting("A"), optional, acting("B")}},
		"approval": {Name: "approval", Steps: []saga.Step{acting("A"), {Name: "approval", Do: func(ctx workflow.Context) error {
			_, err := saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "approval"))
			return err
		}}}},
		"child": {Name: "child", Steps: []saga.Step{acting("A"), {Name: "child", Do: func(ctx workflow.Context) error {
			_, err := saga.ExecuteChild[saga.Outcome](ctx, RecordedSaga, "steps", 0)
			return err
		}}}},
		"sleep": {Name: "sleep", Steps: []saga.Step{acting("A"), {Name: "sleep", Do: func(ctx workflow.Context) error {
			return saga.Sleep(ctx, time.Second)
		}}}},
	}
}

// RecordedSaga runs a recorded plan.
func RecordedSaga(ctx workflow.Context, plan string, deadline time.Duration) (saga.Outcome, error) {
	return recordedPlans()[plan].Run(ctx, recordedOptions(deadline))
}

// RecoveredSaga recovers a recorded plan.
func RecoveredSaga(ctx workflow.Context, plan string) (saga.Outcome, error) {
	return recordedPlans()[plan].Recover(ctx, recordedOptions(0))
}

// TwoSagas runs two plans at the same time.
func TwoSagas(ctx workflow.Context, one, other string) error {
	errs := workflow.NewBufferedChannel(ctx, 2)
	for _, plan := range []string{one, other} {
		workflow.Go(ctx, func(ctx workflow.Context) {
			_, err := RecordedSaga(ctx, plan, 0)
			errs.Send(ctx, err)
		})
	}
	var first error
	for range 2 {
		var err error
		errs.Receive(ctx, &err)
		if first == nil {
			first = err
		}
	}
	return first
}

func recordedOptions(deadline time.Duration) saga.Options {
	return saga.Options{PivotTimeout: deadline, OnAttention: func(ctx workflow.Context, _ saga.Attention) {
		var a *actor
		_, _ = saga.Execute(ctx, a.Act, "alert")
	}}
}

func TestHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, file := range recordedHistories(t) {
		t.Run(recordedPath(file), func(t *testing.T) {
			t.Parallel()
			if err := replayHistory(t, file, func(workflow.Context) {}); err != nil {
				t.Errorf("sagas that are running now could not go on: %v\n(before a release, record again: TestRecordHistories)", err)
			}
		})
	}
}

// A workflow that does one thing more does not replay.
func TestReplayCanFail(t *testing.T) {
	t.Parallel()
	for _, file := range recordedHistories(t) {
		t.Run(recordedPath(file), func(t *testing.T) {
			t.Parallel()
			sleepy := func(ctx workflow.Context) {
				free, _ := workflow.NewDisconnectedContext(ctx)
				_ = workflow.Sleep(free, time.Second)
			}
			if err := replayHistory(t, file, sleepy); err == nil {
				t.Error("it replays")
			}
		})
	}
}

func recordedHistories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(historyFiles, "*", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	return files
}

// recordedPath names a history by its release and its path.
func recordedPath(file string) string {
	return filepath.Base(filepath.Dir(file)) + " " + strings.TrimSuffix(filepath.Base(file), ".json")
}

// replayHistory replays a history with workflows that do something before.
func replayHistory(t *testing.T, file string, before func(workflow.Context)) error {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	history, err := client.HistoryFromJSON(f, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	replayer := worker.NewWorkflowReplayer()
	register := func(name string, w any) {
		replayer.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	register("RecordedSaga", func(ctx workflow.Context, plan string, deadline time.Duration) (saga.Outcome, error) {
		before(ctx)
		return RecordedSaga(ctx, plan, deadline)
	})
	register("RecoveredSaga", func(ctx workflow.Context, plan string) (saga.Outcome, error) {
		before(ctx)
		return RecoveredSaga(ctx, plan)
	})
	register("TwoSagas", func(ctx workflow.Context, one, other string) error {
		before(ctx)
		return TwoSagas(ctx, one, other)
	})
	began := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: began.WorkflowId, RunID: began.OriginalExecutionRunId},
	})
}
