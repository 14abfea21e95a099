package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// pidFile holds the supervisor's process ID on the host. It is valid only while the lock is held.
func pidFile(c config.Config) string { return filepath.Join(c.Data, "pid") }

func writePID(c config.Config, pid int) error {
	return os.WriteFile(pidFile(c), []byte(strconv.Itoa(pid)+"\n"), 0o644)
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
	content, err := os.ReadFile(pidFile(c))
	if errors.Is(err, os.ErrNotExist) {
		return 0, errors.New("another devstack is starting the stack")
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", pidFile(c), err)
	}
	// The caller is about to send it a signal, so make sure that it is the supervisor.
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(commandLine), "\x00"+superviseCommand+"\x00") {
		return 0, fmt.Errorf("process %d is not the stack's supervisor; try again", pid)
	}
	return pid, nil
}

// mustRun is running for commands that need a running stack.
func mustRun(c config.Config) (int, error) {
	pid, err := running(c)
	if err == nil && pid == 0 {
		err = errors.New("the stack is not up")
	}
	return pid, err
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
func hostPIDs(supervisorPID int) map[int]int {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", supervisorPID))
	if err != nil {
		return nil
	}
	pids := map[int]int{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range entries {
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != own {
			continue
		}
		host, err := strconv.Atoi(filepath.Base(dir))
		if inside := innermostPID(dir + "/status"); err == nil && inside != 0 {
			pids[inside] = host
		}
	}
	return pids
}

// innermostPID reads a process's ID in its own PID namespace from its status file.
func innermostPID(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if ids, found := strings.CutPrefix(lines.Text(), "NSpid:"); found {
			fields := strings.Fields(ids)
			pid, _ := strconv.Atoi(fields[len(fields)-1])
			return pid
		}
	}
	return 0
}
