package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/rootfs"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// flags parses the flags of every command, and those that more adds.
func flags(name string, args []string, more func(*flag.FlagSet)) (config.Options, []string, error) {
	var o config.Options
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&o.Data, "data", "", "the stack's data directory")
	if more != nil {
		more(set)
	}
	if err := set.Parse(args); err != nil {
		return o, nil, usageError{fmt.Errorf("%s: %w (devstack --help explains)", name, err)}
	}
	return o, set.Args(), nil
}

// noArguments returns an error when there are arguments.
func noArguments(name string, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s: unknown arguments %q (devstack --help explains)", name, args)}
	}
	return nil
}

func load(o config.Options) (config.Config, error) {
	c, err := config.Load(o, os.Environ())
	if err != nil {
		return c, usageError{err}
	}
	c.RootFS = rootfs.Path(config.CacheDir(os.Getenv))
	return c, nil
}

func up(ctx context.Context, args []string, stdout io.Writer) error {
	var servicesOnly bool
	o, rest, err := flags("up", args, func(set *flag.FlagSet) {
		set.BoolVar(&servicesOnly, "services-only", false, "without the project's programs")
	})
	if err := errors.Join(err, noArguments("up", rest)); err != nil {
		return err
	}
	o.ServicesOnly = servicesOnly
	c, err := load(o)
	if err != nil {
		return err
	}
	out := newConsole(stdout)
	_, err = launch(ctx, c, true, out)
	if errors.Is(err, errAlreadyUp) {
		return bringUpToDate(ctx, c, out)
	}
	if err != nil {
		return err
	}
	out.line("stack", "up; logs are in %s", filepath.Dir(c.LogFile("")))
	if !c.ServicesOnly {
		out.line("api", "accepts orders at http://%s, without authentication (AUTH_MODE=none)", c.Address(config.API))
		out.line("catalog", "has the products at http://%s, also without authentication", c.Address(config.Catalog))
	}
	out.line("temporal-ui", "shows the orders' sagas at http://%s", c.Address(config.TemporalUI))
	return nil
}

// bringUpToDate makes a running stack restart rebuilt programs and start services that were left out or stopped.
func bringUpToDate(ctx context.Context, wanted config.Config, out *console) error {
	pid, err := running(wanted)
	if err != nil {
		return err
	}
	current, err := readConfig(wanted.File())
	if err != nil {
		return err
	}
	if !maps.Equal(current.Ports, wanted.Ports) || current.Repo != wanted.Repo || current.RootFS != wanted.RootFS {
		return errors.New("the stack is already up with other ports or from another checkout: `devstack down` first")
	}
	if current.ServicesOnly && !wanted.ServicesOnly {
		if err := current.CheckPortsFree(false, true); err != nil {
			return err
		}
	}
	current.ServicesOnly = current.ServicesOnly && wanted.ServicesOnly
	current.Overrides, current.Stopped = wanted.Overrides, nil
	if err := reload(ctx, current, pid, out); err != nil {
		return err
	}
	out.line("stack", "is already up")
	return nil
}

// reload makes the running supervisor follow a changed configuration, and prints what changed.
func reload(ctx context.Context, c config.Config, pid int, out *console) error {
	before, err := supervisor.ReadStatus(c.StatusFile())
	if err != nil {
		return err
	}
	if err := writeConfig(c); err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return err
	}
	after, err := waitForReload(ctx, c, before.Reloads)
	if err != nil {
		return err
	}
	if after.Problem != "" {
		service, _, _ := strings.Cut(after.Problem, " ")
		return fmt.Errorf("%s\nthe end of %s:\n%s", after.Problem, c.LogFile(service), rootfs.Tail(c.LogFile(service), 20))
	}
	for _, s := range after.Services {
		if !slices.Contains(before.Services, s) {
			out.line(s.Name, "%s at %s", s.State, s.Address)
		}
	}
	return nil
}

func waitForReload(ctx context.Context, c config.Config, reloads int) (supervisor.Status, error) {
	for {
		s, err := supervisor.ReadStatus(c.StatusFile())
		if err != nil || s.Reloads > reloads {
			return s, err
		}
		if pid, err := running(c); err != nil || pid == 0 {
			return s, errors.Join(errors.New("the stack ended during the reload"), err)
		}
		select {
		case <-ctx.Done():
			return s, errors.New("interrupted; the stack goes on reloading")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
