package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	binary   string             // identity of the file that the service was started from
	ready    chan struct{}      // closed when the service was ready for the first time
	stopping context.Context    // done when the service is to stop
	cancel   context.CancelFunc // makes it stop
	done     chan struct{}      // closed when it has stopped
}

// run starts the service when those that it needs are ready, and restarts it until it is stopped. A service that does not become
// ready the first time is given up.
func (r *runner) run() {
	defer close(r.done)
	defer func() { r.sup.note(r, Stopped, 0) }()
	if !r.waitForNeeds() {
		return
	}
	r.binary = identity(r.Binary)
	for wait := firstRestart; ; wait = min(2*wait, slowestRestart) {
		began := time.Now()
		err := r.runOnce()
		if r.stopping.Err() != nil {
			return
		}
		if !isClosed(r.ready) {
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
		case <-need.ready:
		case <-r.stopping.Done():
			return false
		}
	}
	return true
}

// runOnce runs the process from start to end, and returns why it ended.
func (r *runner) runOnce() error {
	starting, cancel := context.WithTimeout(r.stopping, r.StartTimeout)
	defer cancel()

	r.sup.note(r, Starting, 0)
	if r.Prepare != nil {
		if err := r.Prepare(starting); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	p, err := r.start()
	if err != nil {
		return err
	}
	pid := p.cmd.Process.Pid
	r.sup.note(r, Starting, pid)

	becoming := make(chan error, 1)
	go func() { becoming <- r.becomeReady(starting) }()
	select {
	case err = <-becoming:
	case <-p.ended:
		cancel()
		<-becoming
		return p.reason()
	}
	if err != nil {
		r.terminate(p)
		return fmt.Errorf("not ready within %s: %w", r.StartTimeout, err)
	}
	r.sup.note(r, Ready, pid)
	if !isClosed(r.ready) {
		close(r.ready)
	}
	select {
	case <-p.ended:
		return p.reason()
	case <-r.stopping.Done():
		r.terminate(p)
		return nil
	}
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

// process is a started command.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // read after ended
}

func (r *runner) start() (*process, error) {
	cmd, err := r.Command()
	if err != nil {
		return nil, err
	}
	log, err := openLog(r.sup.logFile(r.Name))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := r.sup.children.Start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = r.sup.children.Wait(cmd)
		close(p.ended)
	}()
	return p, nil
}

// terminate asks the process to stop, kills its group after the timeout, and waits for its end.
func (r *runner) terminate(p *process) {
	_ = p.cmd.Process.Signal(r.Stop)
	select {
	case <-p.ended:
	case <-time.After(r.StopTimeout):
		r.sup.log.Warn("service did not stop in time; killed", "service", r.Name, "after", r.StopTimeout.String())
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// reason says why a process ended.
func (p *process) reason() error {
	if p.err == nil {
		return errors.New("it ended by itself (exit status 0)")
	}
	return fmt.Errorf("it ended: %w", p.err)
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

// identity changes when the file at path is replaced.
func identity(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(path, info.ModTime().UnixNano(), info.Size())
}
