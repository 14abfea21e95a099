package contain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Children are the processes that PID 1 started itself. Processes whose parent is gone also become children of PID 1 (RabbitMQ's
// port mapper, PostgreSQL's backends after a crash), and Reap collects them when they end.
type Children struct {
	mu   sync.Mutex
	pids map[int]bool
}

// NewChildren returns an empty set of children.
func NewChildren() *Children { return &Children{pids: map[int]bool{}} }

// Start starts cmd. The caller must call Wait.
func (c *Children) Start(cmd *exec.Cmd) error {
	c.mu.Lock() // otherwise Reap could collect a child that ends before its PID is noted
	defer c.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.pids[cmd.Process.Pid] = true
	return nil
}

// Wait waits for a started cmd.
func (c *Children) Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pids, cmd.Process.Pid)
	return err
}

// Reap collects ended orphans until ctx is done. It looks every few seconds: a zombie costs only a PID.
func (c *Children) Reap(ctx context.Context) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.reap()
		}
	}
}

func (c *Children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pid := range childPIDs() {
		if !c.pids[pid] {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // still running, or collected now
		}
	}
}

// childPIDs lists the children of all threads of this process.
func childPIDs() []int {
	var pids []int
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		content, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		for field := range strings.FieldsSeq(string(content)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
