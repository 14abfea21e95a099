package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// launch starts the stack that c describes and returns its supervisor once everything is ready. When a service does not become
// ready, or ctx ends, everything is stopped again. A detached supervisor outlives this process; otherwise the kernel kills it,
// and the stack with it, when this process ends.
func launch(ctx context.Context, c config.Config, detached bool, out *console) (*exec.Cmd, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("devstack needs root for its namespaces and mounts: use sudo, or STACK=compose with Docker")
	}
	if err := os.MkdirAll(filepath.Join(c.Data, "log"), 0o755); err != nil {
		return nil, err
	}
	lock, err := lockStack(c)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := lock.Truncate(0); err != nil {
		return nil, err
	}
	if err := c.CheckPortsFree(true, !c.ServicesOnly); err != nil {
		return nil, err
	}
	building := func(step string) { out.line("root file system", "%s", step) }
	if err := rootfs.Build(ctx, c.RootFS, building); err != nil {
		return nil, err
	}
	if err := writeConfig(c); err != nil {
		return nil, err
	}
	if err := os.Remove(c.StatusFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	cmd, err := startSupervisor(c, lock, detached)
	if err != nil {
		return nil, err
	}
	lock.Close() // now only the supervisor holds it
	cancel := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer cancel()
	if err := await(context.WithoutCancel(ctx), c, supervisor.Status{}, out); err != nil {
		_ = cmd.Wait()
		if ctx.Err() != nil {
			return nil, errors.New("interrupted; everything is stopped again")
		}
		return nil, fmt.Errorf("%w\neverything is stopped again", err)
	}
	return cmd, nil
}

// startSupervisor starts the supervisor, which holds the lock while it lives. The lock's file then has its process ID.
func startSupervisor(c config.Config, lock *os.File, detached bool) (*exec.Cmd, error) {
	log, err := os.OpenFile(c.LogFile(supervisorLog), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := contain.Command(superviseCommand, c.File())
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{lock}
	cmd.SysProcAttr.Setsid = true // it must not get the terminal's signals: we stop it
	if !detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the supervisor in its own namespaces (a container needs CAP_SYS_ADMIN for that): %w", err)
	}
	if _, err := lock.WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return cmd, nil
}

// reload makes the running supervisor follow a changed configuration.
func reload(ctx context.Context, c config.Config, pid int, out *console) error {
	before, err := supervisor.ReadStatus(c.StatusFile())
	if err != nil {
		return err
	}
	if err := writeConfig(c); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return err
	}
	return await(ctx, c, before, out)
}

// await waits until the supervisor has followed its configuration once more than before, and prints what changes meanwhile.
func await(ctx context.Context, c config.Config, before supervisor.Status, out *console) error {
	shown := before.Services
	for {
		now, err := supervisor.ReadStatus(c.StatusFile())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, s := range now.Services {
			if !slices.Contains(shown, s) && (s.State == supervisor.Ready || s.State == supervisor.Stopped) {
				out.line(s.Name, "%s at %s", s.State, s.Address)
			}
		}
		shown = now.Services
		switch {
		case now.Loads == before.Loads:
		case now.Problem != "":
			return fmt.Errorf("%s\n%s", now.Problem, endOfLog(c, cmp.Or(now.Failed, supervisorLog)))
		default:
			return nil
		}
		if pid, err := running(c); err != nil || pid == 0 {
			return errors.Join(fmt.Errorf("the stack ended unexpectedly; %s", endOfLog(c, supervisorLog)), err)
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted; the stack goes on reloading")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// supervisorLog is the name of the supervisor's own log.
const supervisorLog = "devstack"

func endOfLog(c config.Config, service string) string {
	return fmt.Sprintf("the end of %s:\n%s", c.LogFile(service), rootfs.Tail(c.LogFile(service), 20))
}

// console shows progress: the time since the command began, the subject, and what happened.
type console struct {
	w     io.Writer
	began time.Time
}

func newConsole(w io.Writer) *console { return &console{w: w, began: time.Now()} }

func (c *console) line(about, format string, args ...any) {
	fmt.Fprintf(c.w, "%6.1f s  %-16s  %s\n", time.Since(c.began).Seconds(), about, fmt.Sprintf(format, args...))
}
