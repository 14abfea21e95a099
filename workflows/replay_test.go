package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// historyFiles holds histories from a real server, one for each path through the saga. `make histories` adds those of a
// revision, in their own folder. Workflows that started under an older revision must replay under every later one.
const historyFiles = "testdata/histories"

func TestHistoriesReplay(t *testing.T) {
	t.Parallel()
	for _, file := range histories(t) {
		t.Run(recorded(file), func(t *testing.T) {
			t.Parallel()
			if err := replay(t, file, workflows.CreateOrder, workflows.RecoverOrder); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReplayCanFail replays the histories with workflows that do one thing more, at the start or at the end.
func TestReplayCanFail(t *testing.T) {
	t.Parallel()
	type saga = func(workflow.Context, order.Request) (activities.Progress, error)
	early := func(w saga) saga {
		return func(ctx workflow.Context, req order.Request) (activities.Progress, error) {
			_ = workflow.Sleep(ctx, time.Second)
			return w(ctx, req)
		}
	}
	late := func(w saga) saga {
		return func(ctx workflow.Context, req order.Request) (activities.Progress, error) {
			o, err := w(ctx, req)
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			_ = workflow.Sleep(ctx, time.Second)
			return o, err
		}
	}
	for name, change := range map[string]func(saga) saga{"at the start": early, "at the end": late} {
		for _, file := range histories(t) {
			t.Run(name+" of "+recorded(file), func(t *testing.T) {
				t.Parallel()
				if err := replay(t, file, change(workflows.CreateOrder), change(workflows.RecoverOrder)); err == nil {
					t.Error("it replays")
				}
			})
		}
	}
}

func histories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(historyFiles, "*", "*.json"))
	if err != nil || len(files) < 25 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	return files
}

// recorded names a history by its revision and its path through the saga.
func recorded(file string) string {
	return filepath.Base(filepath.Dir(file)) + " " + strings.TrimSuffix(filepath.Base(file), ".json")
}

func replay(t *testing.T, file string, create, recover any) error {
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
	replayer.RegisterWorkflowWithOptions(create, workflow.RegisterOptions{Name: workflows.CreateOrderWorkflow})
	replayer.RegisterWorkflowWithOptions(recover, workflow.RegisterOptions{Name: workflows.RecoverOrderWorkflow})
	began := history.Events[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(nil, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: began.WorkflowId, RunID: began.OriginalExecutionRunId},
	})
}
