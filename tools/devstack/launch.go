package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// errAlreadyUp is returned when the stack to launch is already running.
var errAlreadyUp = errors.New("the stack is already up")

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
	defer lock.Close() // the supervisor inherits it
	if err := os.Remove(pidFile(c)); err != nil && !errors.Is(err, os.ErrNotExist) {
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
	return startSupervisor(ctx, c, lock, detached, out)
}

// lockStack takes the lock of the stack's data directory.
func lockStack(c config.Config) (*os.File, error) {
	f, err := os.OpenFile(c.LockFile(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errAlreadyUp
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func startSupervisor(ctx context.Context, c config.Config, lock *os.File, detached bool, out *console) (*exec.Cmd, error) {
	log, err := os.OpenFile(c.LogFile("devstack"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	reports, reportsWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reports.Close()

	cmd := contain.Command(superviseCommand, c.File())
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{reportsWriter, lock}
	cmd.SysProcAttr.Setsid = true // it must not get the terminal's signals: we stop it
	if !detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	err = cmd.Start()
	reportsWriter.Close()
	if err != nil {
		return nil, fmt.Errorf("start the supervisor in its own namespaces (a container needs CAP_SYS_ADMIN for that): %w", err)
	}
	if err := writePID(c, cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	if err := follow(reports, c, out); err != nil {
		_ = cmd.Wait()
		if ctx.Err() != nil {
			return nil, errors.New("interrupted; everything is stopped again")
		}
		return nil, err
	}
	return cmd, nil
}

// follow shows the supervisor's reports until everything is ready or something has failed.
func follow(reports io.Reader, c config.Config, out *console) error {
	for lines := bufio.NewScanner(reports); lines.Scan(); {
		var line reportLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		switch {
		case line.Up:
			return nil
		case line.Failed != "":
			return fmt.Errorf("%s\nthe end of %s:\n%s\neverything is stopped again",
				line.Error, c.LogFile(line.Failed), rootfs.Tail(c.LogFile(line.Failed), 20))
		case line.Error != "":
			return errors.New(line.Error)
		case line.State == supervisor.Ready:
			out.line(line.Service, "ready at %s", line.Address)
		}
	}
	return fmt.Errorf("the supervisor ended unexpectedly; the end of %s:\n%s",
		c.LogFile("devstack"), rootfs.Tail(c.LogFile("devstack"), 20))
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
