package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// stopTimeout bounds the stop of a whole stack: its programs drain, then the services stop one after another.
const stopTimeout = 120 * time.Second

func down(_ context.Context, args []string, stdout io.Writer) error {
	c, err := existing("down", args)
	if err != nil {
		return err
	}
	pid, err := running(c)
	if err != nil {
		return err
	}
	out := newConsole(stdout)
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

func clean(ctx context.Context, args []string, stdout io.Writer) error {
	c, err := existing("clean", args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.LockFile()); err != nil {
		newConsole(stdout).line("stack", "there is no data in %s", c.Data)
		return nil
	}
	if err := down(ctx, args, stdout); err != nil {
		return err
	}
	if err := removeData(c); err != nil {
		return err
	}
	newConsole(stdout).line("stack", "removed %s", c.Data)
	return nil
}

// removeData removes devstack's files from the data directory, and the directory itself when it is empty then.
func removeData(c config.Config) error {
	var problems []error
	for _, name := range []string{"postgres", "rabbitmq", "ferretdb", "setup", "log", "config.json", "status.json", "pid", "lock"} {
		problems = append(problems, os.RemoveAll(filepath.Join(c.Data, name)))
	}
	_ = os.Remove(c.Data)
	return errors.Join(problems...)
}

// existing loads the configuration of the last start, or else the one that a start would use now.
func existing(name string, args []string) (config.Config, error) {
	o, rest, err := flags(name, args, nil)
	if err := errors.Join(err, noArguments(name, rest)); err != nil {
		return config.Config{}, err
	}
	return lastConfig(o)
}

func lastConfig(o config.Options) (config.Config, error) {
	c, err := load(o)
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

// serviceLine is a service in the output of `devstack status --json`.
type serviceLine struct {
	supervisor.ServiceStatus
	HostPID int    `json:"hostPid,omitempty"` // the process's ID outside of the stack's PID namespace
	Log     string `json:"log"`
}

func status(_ context.Context, args []string, stdout io.Writer) error {
	var asJSON bool
	o, rest, err := flags("status", args, func(set *flag.FlagSet) { set.BoolVar(&asJSON, "json", false, "print JSON") })
	if err := errors.Join(err, noArguments("status", rest)); err != nil {
		return err
	}
	c, err := lastConfig(o)
	if err != nil {
		return err
	}
	pid, err := mustRun(c)
	if err != nil {
		return err
	}
	s, err := supervisor.ReadStatus(c.StatusFile())
	if err != nil {
		return err
	}
	host := hostPIDs(pid)
	lines := []serviceLine{}
	for _, service := range s.Services {
		lines = append(lines, serviceLine{ServiceStatus: service, HostPID: host[service.PID], Log: c.LogFile(service.Name)})
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"up": s.Up, "services": lines})
	}
	printStatus(stdout, lines)
	for _, l := range lines {
		if l.State != supervisor.Ready {
			return fmt.Errorf("%s is %s; see %s", l.Name, l.State, l.Log)
		}
	}
	return nil
}

func printStatus(w io.Writer, lines []serviceLine) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSTATE\tADDRESS\tPROCESS\tSINCE\tRESTARTS")
	for _, l := range lines {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%d\n",
			l.Name, l.State, l.Address, l.HostPID, time.Since(l.Since).Truncate(time.Second), l.Restarts)
	}
	table.Flush()
}

// logs runs tail.
func logs(ctx context.Context, args []string, stdout io.Writer) error {
	var followLogs bool
	var lines int
	o, names, err := flags("logs", args, func(set *flag.FlagSet) {
		set.BoolVar(&followLogs, "f", false, "follow")
		set.IntVar(&lines, "n", 20, "lines of each")
	})
	if err != nil {
		return err
	}
	c, err := lastConfig(o)
	if err != nil {
		return err
	}
	files, err := logFiles(c, names)
	if err != nil {
		return err
	}
	tail := []string{"-n", strconv.Itoa(lines)}
	if followLogs {
		tail = append(tail, "-F")
	}
	cmd := exec.CommandContext(ctx, "tail", append(tail, files...)...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func logFiles(c config.Config, names []string) ([]string, error) {
	all, _ := filepath.Glob(c.LogFile("*"))
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no logs in %s", filepath.Dir(c.LogFile("")))
	}
	if len(names) == 0 {
		return all, nil
	}
	var files, known []string
	for _, file := range all {
		known = append(known, strings.TrimSuffix(filepath.Base(file), ".log"))
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, usageError{fmt.Errorf("there is no log of %q; there are logs of %s", name, strings.Join(known, ", "))}
		}
		files = append(files, c.LogFile(name))
	}
	return files, nil
}

// printEnv prints variables for eval in a shell.
func printEnv(_ context.Context, args []string, stdout io.Writer) error {
	o, rest, err := flags("env", args, nil)
	if err != nil {
		return err
	}
	c, err := lastConfig(o)
	if err != nil {
		return err
	}
	env := c.ClientEnvironment()
	if len(rest) > 0 {
		if len(rest) > 1 || !slices.Contains(config.Programs, rest[0]) {
			return usageError{fmt.Errorf("env: want one of %s, got %q", strings.Join(config.Programs, ", "), rest)}
		}
		env = c.ProgramEnvironment(rest[0])
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(stdout, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return nil
}
