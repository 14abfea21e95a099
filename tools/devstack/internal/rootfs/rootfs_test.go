package rootfs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain is also the hidden command with which Build runs this test binary, with a short recipe.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == Command {
		recipe = os.Getenv("TEST_RECIPE")
		if err := RunRecipe(os.Args[2]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func useRecipe(t *testing.T, script string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, as devstack does")
	}
	t.Setenv("TEST_RECIPE", script)
}

func TestTheRootFileSystemAppearsWhenItIsComplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache", "rootfs")
	useRecipe(t, `echo "first step" >&3; [ ! -e "`+path+`" ]; mount -t tmpfs none "$1"; umount "$1"; echo hello >"$1/file"`)
	var steps []string
	if err := Build(t.Context(), path, func(s string) { steps = append(steps, s) }); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path + "/file"); err != nil || string(content) != "hello\n" {
		t.Errorf("file: %q, %v", content, err)
	}
	if len(steps) != 3 || steps[1] != "first step" || steps[2] != "ready" {
		t.Errorf("steps %q", steps)
	}
}

func TestAFailedBuildShowsItsLogAndIsNotUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rootfs")
	useRecipe(t, `touch "$1/half"; echo "no such package" >&2; exit 1`)
	err := Build(t.Context(), path, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("want the end of the log, got: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the failed build exists")
	}
	useRecipe(t, `[ ! -e "$1/half" ]`)
	if err := Build(t.Context(), path, func(string) {}); err != nil {
		t.Errorf("the next build does not start over: %v", err)
	}
}

func TestAnInterruptedBuildEndsWithAllItsProcesses(t *testing.T) {
	dir := t.TempDir()
	path, alive := filepath.Join(dir, "rootfs"), filepath.Join(dir, "alive")
	useRecipe(t, `(while :; do date >"`+alive+`"; sleep 0.02; done) & echo started >&3; wait`)
	ctx, interrupt := context.WithCancel(t.Context())
	err := Build(ctx, path, func(string) { interrupt() })
	if _, missing := os.Stat(path); err == nil || missing == nil {
		t.Errorf("want an error and nothing built, got: %v", err)
	}
	if err := os.WriteFile(alive, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The process would have written ten times until now.
	time.Sleep(200 * time.Millisecond)
	if content, _ := os.ReadFile(alive); len(content) > 0 {
		t.Error("a process of the build is still running")
	}
}

func TestOnlyOneOfSeveralConcurrentBuildsWorks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rootfs")
	useRecipe(t, `echo x >>"`+dir+`/builds"; sleep 0.3`)
	var all sync.WaitGroup
	var failed atomic.Int32
	for range 4 {
		all.Go(func() {
			if err := Build(t.Context(), path, func(string) {}); err != nil {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	if builds, _ := os.ReadFile(dir + "/builds"); string(builds) != "x\n" || failed.Load() != 0 {
		t.Errorf("%d failed; builds: %q, want one", failed.Load(), builds)
	}
}
