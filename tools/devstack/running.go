package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// errAlreadyUp is returned when the stack to lock is running.
var errAlreadyUp = errors.New("the stack is already up")

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

// running returns the process ID of the stack's supervisor, or 0 when the stack is down.
func running(c config.Config) (int, error) {
	if _, err := os.Stat(c.LockFile()); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	lock, err := lockStack(c)
	if err == nil {
		lock.Close()
		return 0, nil
	}
	if !errors.Is(err, errAlreadyUp) {
		return 0, err
	}
	content, err := os.ReadFile(c.LockFile())
	if err != nil {
		return 0, err
	}
	if len(content) == 0 {
		return 0, errors.New("another devstack is starting the stack")
	}
	pid, err := strconv.Atoi(string(content))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", c.LockFile(), err)
	}
	// The caller is about to send it a signal, so make sure that it is the supervisor.
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(commandLine), "\x00"+superviseCommand+"\x00") {
		return 0, fmt.Errorf("process %d is not the stack's supervisor; try again", pid)
	}
	return pid, nil
}

// stopStack stops the stack's supervisor, kills it after the timeout, and waits until it is gone.
func stopStack(c config.Config, pid int, timeout time.Duration) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the supervisor (process %d): %w", pid, err)
	}
	if waitUntilDown(c, timeout) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill the supervisor (process %d): %w", pid, err)
	}
	if !waitUntilDown(c, 10*time.Second) {
		return fmt.Errorf("the supervisor (process %d) cannot be killed", pid)
	}
	return fmt.Errorf("the stack did not stop within %s and was killed", timeout)
}

func waitUntilDown(c config.Config, timeout time.Duration) bool {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if pid, err := running(c); err == nil && pid == 0 {
			return true
		}
	}
	return false
}

// hostPIDs maps process IDs in the supervisor's PID namespace to those on the host.
func hostPIDs(supervisor int) (map[int]int, error) {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", supervisor))
	if err != nil {
		return nil, err
	}
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	pids := map[int]int{}
	for _, p := range all {
		if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.PID)); err != nil || ns != own {
			continue // it has ended, or belongs to no service
		}
		if status, err := p.NewStatus(); err == nil && len(status.NSpids) > 0 {
			pids[int(status.NSpids[len(status.NSpids)-1])] = p.PID
		}
	}
	return pids, nil
}
