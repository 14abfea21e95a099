package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestEveryProgramTellsItsVersionWithoutAnyConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the built programs; skipped by -short")
	}
	t.Parallel()
	built, err := os.ReadDir(programs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range built {
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, p.Name()), "--version")
		cmd.Env = []string{}
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), p.Name()+" ") || !strings.Contains(string(out), runtime.Version()) {
			t.Errorf("%s --version: %q, %v", p.Name(), out, err)
		}
	}
}
