package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// execute runs a command with a throw-away stack: on free ports, with its data in a temporary directory, and without fsync
// unless --fsync is given. The stack and its data end with the command, whose exit code it returns.
func execute(ctx context.Context, args []string, stdout io.Writer) error {
	var servicesOnly, fsync bool
	o, command, err := flags("exec", args, func(set *flag.FlagSet) {
		set.BoolVar(&servicesOnly, "services-only", false, "without the project's programs")
		set.BoolVar(&fsync, "fsync", false, "durable, for benchmarks")
	})
	if err != nil {
		return err
	}
	if len(command) == 0 || o.Data != "" {
		return usageError{errors.New("exec: want a command after --, and no --data (devstack --help explains)")}
	}
	o.ServicesOnly = servicesOnly
	c, err := throwAway(o, !fsync)
	if err != nil {
		return err
	}
	defer os.RemoveAll(c.Data)
	out := newConsole(stdout)
	stack, err := launch(ctx, c, false, out)
	if err != nil {
		return err
	}
	out.line("stack", "up on ports of its own; running %s", filepath.Base(command[0]))
	err = runCommand(ctx, command, c)
	// None of its data is kept, so it need not stop in order.
	_ = stack.Process.Kill()
	_ = stack.Wait()
	return err
}

func throwAway(o config.Options, lax bool) (config.Config, error) {
	if err := removeAbandoned(); err != nil {
		return config.Config{}, err
	}
	data, err := os.MkdirTemp("", throwAwayPrefix)
	if err != nil {
		return config.Config{}, err
	}
	o.Data = data
	c, err := load(o)
	if err != nil {
		return c, err
	}
	c.ThrowAway = lax
	c.Ports, err = config.FreePorts()
	return c, err
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
