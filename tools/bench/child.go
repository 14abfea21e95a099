package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// How long a child may take to be ready and to stop.
const (
	readyWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
)

// child is a process that the benchmark started.
type child struct {
	name  string
	cmd   *exec.Cmd
	log   safeBuffer
	ended chan struct{} // closed once the process is gone
}

// start runs a program in our environment with settings on top. It ends with us, however we end.
func start(name, path string, args []string, settings ...string) (*child, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), settings...)
	c.cmd.Stderr = &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait()
	}()
	return c, nil
}

// ready waits until url answers 200.
func (c *child) ready(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if status, err := get(ctx, client, url); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("the %s ended at once:\n%s", c.name, c.log.String())
		case <-ctx.Done():
			return fmt.Errorf("the %s is not ready: %w\n%s", c.name, ctx.Err(), c.log.String())
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// stop asks the process to end, and kills it when it does not.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return nil
	case <-time.After(stopWithin):
		_ = c.cmd.Process.Kill()
		<-c.ended
		return fmt.Errorf("the %s did not stop within %s and was killed", c.name, stopWithin)
	}
}

// safeBuffer keeps what a child writes; it may be read at the same time.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
