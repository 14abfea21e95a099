package sagatest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Replay replays recorded histories, as `temporal workflow show --output json` prints them, with today's workflows. It reports
// each one that the workflows would not continue. pattern is a file pattern; a pattern without a match is an error. register
// registers the workflows, under the names in the histories.
func Replay(t testing.TB, pattern string, register func(worker.WorkflowReplayer)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories match %s (%v)", pattern, err)
	}
	for _, file := range files {
		replayer := worker.NewWorkflowReplayer()
		register(replayer)
		if err := replayer.ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// Record writes the history of an ended workflow to a file, for [Replay].
func Record(ctx context.Context, c client.Client, run client.WorkflowRun, file string) error {
	var recorded historypb.History
	events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return fmt.Errorf("read the history of %s: %w", run.GetID(), err)
		}
		recorded.Events = append(recorded.Events, e)
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&recorded)
	if err != nil {
		return fmt.Errorf("write the history of %s: %w", run.GetID(), err)
	}
	return os.WriteFile(file, text, 0o600)
}
