package stacktest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// execCommand returns `devstack exec --services-only -- sh -c script`, with its temporary files in dir.
func execCommand(t *testing.T, dir, script string) *exec.Cmd {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a whole stack; skipped by -short")
	}
	cmd := exec.CommandContext(t.Context(), devstack(t), "exec", "--services-only", "--", "sh", "-c", script)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	return cmd
}

func TestExecLeavesNothingButTheExitCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	output, err := execCommand(t, dir, `echo "at $TEST_TEMPORAL_ADDRESS"; exit 7`).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(string(output), "at 127.0.0.1:") {
		t.Errorf("want the command's output and exit code 7, got %v:\n%s", err, output)
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 || len(processes(dir)) > 0 {
		t.Errorf("left: %v, %v", left, processes(dir))
	}
}

func TestNothingRunsOnWhenExecIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var output bytes.Buffer
	cmd := execCommand(t, dir, `touch "$DEVSTACK_DATA/running"; exec sleep 1000`)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- cmd.Wait() }()
	eventually(t, "the command runs", func() bool {
		found, _ := filepath.Glob(dir + "/*/running")
		return len(found) > 0
	})
	kill(t, cmd.Process.Pid)
	select {
	case <-running:
	case <-time.After(20 * time.Second):
		t.Fatalf("a process still holds its output:\n%s", output.String())
	}
	eventually(t, "everything is gone", func() bool { return len(processes(dir)) == 0 })
}
