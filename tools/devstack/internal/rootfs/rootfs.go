// Package rootfs builds the root file system for PostgreSQL, DocumentDB and RabbitMQ, once for all stacks of the user. It is
// read-only for the services, which write elsewhere.
package rootfs

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
)

//go:embed recipe.sh
var recipe string

// Path is the place in the cache directory for the root file system of this version of the recipe.
func Path(cache string) string {
	sum := sha256.Sum256([]byte(recipe))
	return filepath.Join(cache, "rootfs-"+hex.EncodeToString(sum[:6]))
}

// Build builds the root file system at path unless it exists, or says what this machine lacks for that. It builds beside path
// and renames the result when it is complete: an interrupted build is never used, and the next Build starts over. Of several
// concurrent Builds, one works and the others wait. progress gets a line for every step.
func Build(ctx context.Context, path string, progress func(string)) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := requirements(); err != nil {
		return err
	}
	progress("building " + path + " once; this takes a few minutes")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	unlock, err := lock(path+".lock", func() { progress("waiting for another devstack that is building it") })
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	partial := path + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.Mkdir(partial, 0o755); err != nil {
		return err
	}
	if err := runRecipe(ctx, partial, path+".log", progress); err != nil {
		return err
	}
	if err := os.Rename(partial, path); err != nil {
		return err
	}
	progress("ready")
	return nil
}

// Command is the hidden command that runs the recipe in its own namespaces.
const Command = "build-rootfs"

func runRecipe(ctx context.Context, dir, logFile string, progress func(string)) error {
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := contain.Command(Command, dir)
	cmd.Stderr = log
	steps, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // Ctrl-C reaches only us, and we end it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the build in its own namespaces (a container needs CAP_SYS_ADMIN for that): %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	for lines := bufio.NewScanner(steps); lines.Scan(); {
		progress(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("build the root file system: %w; the end of %s:\n%s", err, logFile, Tail(logFile, 20))
	}
	return nil
}

// RunRecipe is the body of Command. It runs inside the namespaces, with the recipe's steps going to its standard output and
// everything else to its standard error.
func RunRecipe(dir string) error {
	if err := contain.Enter(); err != nil {
		return err
	}
	cmd := exec.Command("sh", "-eu", "-c", recipe, "recipe", dir)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stderr, os.Stderr, []*os.File{os.Stdout}
	return cmd.Run()
}

// requirements returns an error that says what this machine lacks to build the root file system.
func requirements() error {
	if _, err := exec.LookPath("debootstrap"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err == nil {
		return nil // the recipe installs debootstrap
	}
	return errors.New("devstack builds a small Debian for PostgreSQL and RabbitMQ, and needs debootstrap for it: " +
		"run it on Debian or Ubuntu, install the package debootstrap, or use STACK=compose with Docker")
}

// lock takes an exclusive lock on a file; waiting is called when another process holds it.
func lock(path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		waiting()
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// Tail returns the last n lines of a file, or why they cannot be read.
func Tail(path string, n int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
