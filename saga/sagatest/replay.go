package sagatest

import (
	"path/filepath"
	"testing"

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
