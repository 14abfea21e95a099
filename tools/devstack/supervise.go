package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/contain"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/services"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// superviseCommand is the hidden command that `devstack up` and `devstack exec` run in its own namespaces.
const superviseCommand = "supervise"

// The files that the supervisor inherits.
const (
	reportFD = 3 // it writes its reports here
	lockFD   = 4 // it holds the stack's lock while it lives
)

// reportLine is a line of JSON from the supervisor to the command that started it.
type reportLine struct {
	supervisor.Event
	Up     bool   `json:"up,omitempty"`     // everything is ready
	Failed string `json:"failed,omitempty"` // this service did not come up
	Error  string `json:"error,omitempty"`
}

// supervise runs a stack until SIGTERM. args holds the file with its configuration.
func supervise(args []string) error {
	// The services must not inherit them: the lock must end with the supervisor.
	syscall.CloseOnExec(reportFD)
	syscall.CloseOnExec(lockFD)
	out := newReporter(os.NewFile(reportFD, "reports"))
	defer out.close()
	err := superviseStack(args[0], out)
	if err != nil {
		out.fail(err)
	}
	return err
}

func superviseStack(configFile string, out *reporter) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	c, err := readConfig(configFile)
	if err != nil {
		return err
	}
	syscall.Umask(0o022) // unprivileged services must read what we write for them
	if err := contain.Enter(); err != nil {
		return err
	}
	if err := services.CopySetup(c); err != nil {
		return err
	}
	root, err := contain.OpenRoot(c.RootFS, services.Dirs(c))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	sup := supervisor.New(c.StatusFile(), c.LogFile, log, out.event)

	reload, stopReloading := reloads(c, root, log)
	defer stopReloading()
	return sup.Run(ctx, services.New(c, root).Wanted(), reload, out.up)
}

// reloads delivers the list of wanted services after each SIGHUP: programs may have been built, or services stopped or started
// by name.
func reloads(running config.Config, root *contain.Root, log *slog.Logger) (<-chan []supervisor.Service, func()) {
	hangups, out, over := make(chan os.Signal, 1), make(chan []supervisor.Service), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	var forwarder sync.WaitGroup
	forwarder.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-hangups:
			}
			c, err := readConfig(running.File())
			if err != nil {
				log.Error("reload the configuration", "error", err.Error())
				c = running
			}
			select {
			case out <- services.New(c, root).Wanted():
			case <-over:
				return
			}
		}
	})
	return out, func() {
		signal.Stop(hangups)
		close(over)
		forwarder.Wait()
	}
}

// reporter writes report lines until the stack is up.
type reporter struct {
	mu sync.Mutex
	w  io.WriteCloser
}

func newReporter(w io.WriteCloser) *reporter { return &reporter{w: w} }

func (r *reporter) write(line reportLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w != nil {
		_ = json.NewEncoder(r.w).Encode(line)
	}
}

func (r *reporter) event(e supervisor.Event) { r.write(reportLine{Event: e}) }

func (r *reporter) up() {
	r.write(reportLine{Up: true})
	r.close()
}

func (r *reporter) fail(err error) {
	line := reportLine{Error: err.Error()}
	var failed *supervisor.FailedService
	if errors.As(err, &failed) {
		line.Failed = failed.Name
	}
	r.write(line)
}

func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.w != nil {
		r.w.Close()
		r.w = nil
	}
}

func readConfig(path string) (config.Config, error) {
	var c config.Config
	content, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func writeConfig(c config.Config) error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.File(), content, 0o600)
}
