//go:build long

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// reader runs a book's commands in the root of the checkout, as an operator would.
type reader struct {
	t      *testing.T
	blocks map[string]string
	env    []string
	ran    map[string]bool
}

func newReader(t *testing.T, path string, env ...string) *reader {
	t.Helper()
	r := &reader{t: t, blocks: readBook(t, path), ran: map[string]bool{}}
	r.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	return r
}

// run runs a block with further variables and returns its output; it must succeed.
func (r *reader) run(name string, env ...string) string {
	r.t.Helper()
	out, code := r.try(name, env...)
	if code != 0 {
		r.t.Fatalf("%s: exit code %d\n%s\n%s", name, code, r.blocks[name], out)
	}
	return out
}

// try runs a block that may fail, and also returns its exit code.
func (r *reader) try(name string, env ...string) (out string, code int) {
	r.t.Helper()
	script, ok := r.blocks[name]
	if !ok {
		r.t.Fatalf("the book has no block %s", name)
	}
	r.ran[name] = true
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = "..", append(r.env[:len(r.env):len(r.env)], env...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%s: %v", name, err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

// tells fails the test when the text lacks one of the words.
func (r *reader) tells(name, text string, words ...string) {
	r.t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			r.t.Errorf("the output of %s lacks %q:\n%s", name, w, text)
		}
	}
}

// finish fails the test when a block was not run.
func (r *reader) finish() {
	r.t.Helper()
	if r.t.Failed() {
		return
	}
	for name := range r.blocks {
		if !r.ran[name] {
			r.t.Errorf("%s was not run", name)
		}
	}
}

// eventually runs a block until it succeeds: the server may not know about the workers yet.
func (r *reader) eventually(name string, env ...string) {
	r.t.Helper()
	eventually(r.t, name+" succeeds", func(context.Context) bool {
		_, code := r.try(name, env...)
		return code == 0
	})
}
