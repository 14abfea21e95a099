package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// execute runs a command with a throwaway stack: on free ports, with its data in a temporary directory, and without fsync
// unless --fsync is given. The stack and its data end with the command, whose exit code it returns.
type execute struct {
	ServicesOnly bool     `help:"Without the project's programs."`
	Fsync        bool     `help:"For benchmarks: durable. Without it, a crash of the machine may break the stack's data."`
	Command      []string `arg:"" help:"The command, after --."`
}

func (e execute) Run(ctx context.Context, out *console) (err error) {
	if err := removeAbandoned(); err != nil {
		return err
	}
	var s stack
	if s.Data, err = os.MkdirTemp("", throwAwayPrefix); err != nil {
		return err
	}
	defer os.RemoveAll(s.Data)
	c, err := s.wanted()
	if err != nil {
		return err
	}
	c.ServicesOnly, c.ThrowAway = e.ServicesOnly, !e.Fsync
	if c.Ports, err = config.FreePorts(); err != nil {
		return err
	}
	supervisor, err := launch(ctx, c, false, out)
	if err != nil {
		return err
	}
	out.line("stack", "up on ports of its own; running %s", filepath.Base(e.Command[0]))
	err = runCommand(ctx, e.Command, c)
	// None of its data is kept, so it need not stop in order.
	_ = supervisor.Process.Kill()
	_ = supervisor.Wait()
	return err
}

const throwAwayPrefix = "devstack-exec-"

// removeAbandoned removes the data of throw-away stacks whose devstack was killed. The kernel has ended their processes.
func removeAbandoned() error {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), throwAwayPrefix+"*"))
	var problems []error
	for _, dir := range dirs {
		c := config.Config{Data: dir}
		if info, err := os.Stat(c.LockFile()); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // its devstack is just starting it
		}
		lock, err := lockStack(c)
		if err != nil {
			continue // it is in use
		}
		problems = append(problems, os.RemoveAll(dir))
		lock.Close()
	}
	return errors.Join(problems...)
}

// runCommand runs the command in the foreground. When ctx ends, the command gets SIGTERM, and SIGKILL 30 s later.
func runCommand(ctx context.Context, command []string, c config.Config) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), c.ClientEnvironment()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	return cmd.Wait()
}
