package services

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Every build sets the time of a program's file; restarting the program for it would end the requests at work.
func TestAProgramsVersionIsItsContentAndItsEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "worker")
	of := func(content string, env ...string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		v, err := version(file, env)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := of("a", "X=1", "Y=2")
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if again, err := version(file, []string{"X=1", "Y=2"}); err != nil || again != first {
		t.Errorf("after a build of the same: %s, %v; want %s", again, err, first)
	}
	for name, other := range map[string]string{"content": of("b", "X=1", "Y=2"), "environment": of("a", "X=1 Y=2")} {
		if other == first {
			t.Errorf("another %s has the same version", name)
		}
	}
	if _, err := version(file+"-missing", nil); err == nil {
		t.Error("a missing program has a version")
	}
}
