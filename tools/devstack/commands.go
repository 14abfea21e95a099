package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// stack are the flags of every command on a stack that is kept.
type stack struct {
	Data string `type:"path" env:"DEVSTACK_DATA" placeholder:"DIR" help:"The stack's data directory."`
}

// wanted returns the configuration that a start would use now.
func (s stack) wanted() (config.Config, error) {
	c, err := config.Load(os.Environ())
	if err != nil {
		return c, usageError{err}
	}
	if s.Data != "" {
		c.Data = s.Data
	}
	c.RootFS = rootfs.Path(config.CacheDir(os.Getenv))
	return c, nil
}

// last returns the configuration of the last start, or else the one that a start would use now.
func (s stack) last() (config.Config, error) {
	c, err := s.wanted()
	if err != nil {
		return c, err
	}
	last, err := readConfig(c.File())
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	last.Data = c.Data
	return last, err
}

// running returns the configuration and the status of a running stack, and its supervisor's process ID.
func (s stack) running() (config.Config, supervisor.Status, int, error) {
	c, err := s.last()
	if err != nil {
		return c, supervisor.Status{}, 0, err
	}
	pid, err := running(c)
	if err == nil && pid == 0 {
		err = errors.New("the stack is not up")
	}
	if err != nil {
		return c, supervisor.Status{}, 0, err
	}
	status, err := supervisor.ReadStatus(c.StatusFile())
	return c, status, pid, err
}

// stopTimeout bounds the stop of a whole stack: its programs drain, then the services stop one after another.
const stopTimeout = 120 * time.Second

type down struct{ stack }

func (d down) Run(out *console) error {
	c, err := d.last()
	if err != nil {
		return err
	}
	pid, err := running(c)
	if err != nil {
		return err
	}
	if pid == 0 {
		out.line("stack", "is not up")
		return nil
	}
	if err := stopStack(c, pid, stopTimeout); err != nil {
		return err
	}
	out.line("stack", "down; its data is in %s", c.Data)
	return nil
}

type clean struct{ stack }

func (cl clean) Run(out *console) error {
	c, err := cl.last()
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.LockFile()); err != nil {
		out.line("stack", "there is no data in %s", c.Data)
		return nil
	}
	if err := down(cl).Run(out); err != nil {
		return err
	}
	if err := removeData(c); err != nil {
		return err
	}
	out.line("stack", "removed %s", c.Data)
	return nil
}

// removeData removes devstack's files from the data directory, and the directory itself when it is empty then.
func removeData(c config.Config) error {
	var problems []error
	for _, name := range []string{"postgres", "rabbitmq", "ferretdb", "setup", "log", "config.json", "status.json", "lock"} {
		problems = append(problems, os.RemoveAll(filepath.Join(c.Data, name)))
	}
	_ = os.Remove(c.Data)
	return errors.Join(problems...)
}

type status struct {
	stack
	JSON bool `help:"Print JSON."`
}

// serviceLine is a service in the output of `devstack status --json`.
type serviceLine struct {
	supervisor.ServiceStatus
	HostPID int    `json:"hostPid,omitempty"` // the process's ID outside of the stack's PID namespace
	Log     string `json:"log"`
}

func (s status) Run(out *console) error {
	c, found, pid, err := s.running()
	if err != nil {
		return err
	}
	host, err := hostPIDs(pid)
	if err != nil {
		return err
	}
	lines := []serviceLine{}
	for _, service := range found.Services {
		lines = append(lines, serviceLine{ServiceStatus: service, HostPID: host[service.PID], Log: c.LogFile(service.Name)})
	}
	if s.JSON {
		encoder := json.NewEncoder(out.w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"up": found.Up, "services": lines})
	}
	table := tabwriter.NewWriter(out.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSTATE\tADDRESS\tPROCESS\tSINCE\tRESTARTS")
	for _, l := range lines {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%d\n",
			l.Name, l.State, l.Address, l.HostPID, time.Since(l.Since).Truncate(time.Second), l.Restarts)
	}
	table.Flush()
	for _, l := range lines {
		if l.State != supervisor.Ready {
			return fmt.Errorf("%s is %s; see %s", l.Name, l.State, l.Log)
		}
	}
	return nil
}

type logs struct {
	stack
	Follow   bool     `short:"f" help:"Show new lines as they come."`
	Lines    int      `short:"n" default:"20" help:"Lines of each log."`
	Services []string `arg:"" optional:"" name:"service" help:"Whose logs; default: all."`
}

// Run runs tail.
func (l logs) Run(ctx context.Context, out *console) error {
	c, err := l.last()
	if err != nil {
		return err
	}
	var known []string
	all, _ := filepath.Glob(c.LogFile("*"))
	for _, file := range all {
		known = append(known, strings.TrimSuffix(filepath.Base(file), ".log"))
	}
	if len(known) == 0 {
		return fmt.Errorf("there are no logs in %s", filepath.Dir(c.LogFile("")))
	}
	tail := []string{"-n", strconv.Itoa(l.Lines)}
	if l.Follow {
		tail = append(tail, "-F")
	}
	if len(l.Services) == 0 {
		l.Services = known
	}
	for _, name := range l.Services {
		if !slices.Contains(known, name) {
			return usageError{fmt.Errorf("there is no log of %q; there are logs of %s", name, strings.Join(known, ", "))}
		}
		tail = append(tail, c.LogFile(name))
	}
	cmd := exec.CommandContext(ctx, "tail", tail...)
	cmd.Stdout, cmd.Stderr = out.w, os.Stderr
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

type env struct {
	stack
	Program string `arg:"" optional:"" default:"" enum:"catalog,stripesim,worker,notifier,api," help:"The variables of this program."`
}

func (e env) Run(out *console) error {
	c, err := e.last()
	if err != nil {
		return err
	}
	if err := c.Apply(os.Environ()); err != nil {
		return usageError{err}
	}
	variables := c.ClientEnvironment()
	if e.Program != "" {
		variables = c.ProgramEnvironment(e.Program)
	}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(out.w, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return nil
}
