package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A service that dies is restarted after firstRestart, then after twice that, and so on up to slowestRestart, until it has run
// for settled.
const (
	firstRestart   = 200 * time.Millisecond
	slowestRestart = 30 * time.Second
	settled        = time.Minute
)

// maxLogSize is in bytes. A larger log is renamed to .1 when its service starts.
const maxLogSize = 16 << 20

// runner keeps one service running.
type runner struct {
	Service
	sup      *Supervisor
	needs    []*runner
	ready    moment // when the service was ready for the first time
	stopping moment // when it is to stop
	stopped  moment // when it has stopped
}

// moment comes once: Done is closed by come.
type moment struct {
	context.Context
	come context.CancelFunc
}

func newMoment() moment {
	ctx, cancel := context.WithCancel(context.Background())
	return moment{ctx, cancel}
}

// hasCome reports whether the moment has come.
func (m moment) hasCome() bool { return m.Err() != nil }

// run starts the service when those that it needs are ready, and restarts it until it is stopped. A service that does not become
// ready the first time is given up.
func (r *runner) run() {
	defer r.stopped.come()
	defer func() { r.sup.note(r, Stopped, 0) }()
	if !r.waitForNeeds() {
		return
	}
	for wait := firstRestart; ; wait = min(2*wait, slowestRestart) {
		began := time.Now()
		err := r.runOnce()
		if r.stopping.hasCome() {
			return
		}
		if !r.ready.hasCome() {
			r.sup.failed <- &FailedService{Name: r.Name, Cause: err}
			return
		}
		if time.Since(began) > settled {
			wait = firstRestart
		}
		r.sup.log.Warn("restarting a service", "service", r.Name, "reason", err.Error(), "in", wait.String())
		r.sup.note(r, Restarting, 0)
		select {
		case <-time.After(wait):
		case <-r.stopping.Done():
			return
		}
	}
}

// waitForNeeds waits until the services that this one needs were ready; false if it is stopped first.
func (r *runner) waitForNeeds() bool {
	for _, need := range r.needs {
		select {
		case <-need.ready.Done():
		case <-r.stopping.Done():
			return false
		}
	}
	return true
}

// runOnce runs the process from start to end, and returns why it ended.
func (r *runner) runOnce() error {
	r.sup.note(r, Starting, 0)
	running, end := context.WithCancelCause(r.stopping)
	defer end(nil)
	cmd, err := r.start(running)
	if err != nil {
		return err
	}
	r.sup.note(r, Starting, cmd.Process.Pid)
	starting, cancel := context.WithTimeout(running, r.StartTimeout)
	defer cancel()
	var becoming sync.WaitGroup
	becoming.Go(func() {
		if err := r.becomeReady(starting); err != nil {
			end(fmt.Errorf("not ready within %s: %w", r.StartTimeout, err))
			return
		}
		r.sup.note(r, Ready, cmd.Process.Pid)
		r.ready.come()
	})
	err = cmd.Wait()
	cause := context.Cause(running) // why we stopped it
	cancel()
	becoming.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
	if r.stopping.hasCome() && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		r.sup.log.Warn("service did not stop in time; killed", "service", r.Name, "after", r.StopTimeout.String())
	}
	switch {
	case cause != nil:
		return cause
	case err != nil:
		return fmt.Errorf("it ended: %w", err)
	}
	return errors.New("it ended by itself (exit status 0)")
}

// start starts the process. When ctx is done, it is asked to stop, and killed after the timeout.
func (r *runner) start(ctx context.Context) (*exec.Cmd, error) {
	cmd, err := r.Command(ctx)
	if err != nil {
		return nil, err
	}
	log, err := openLog(r.sup.logFile(r.Name))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, log, r.StopTimeout
	cmd.Cancel = func() error { return cmd.Process.Signal(r.Stop) }
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return cmd, nil
}

// becomeReady waits until the service is ready, and sets it up.
func (r *runner) becomeReady(ctx context.Context) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := r.Ready(attempt)
		cancel()
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
	if r.Setup == nil {
		return nil
	}
	return r.Setup(ctx)
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}
