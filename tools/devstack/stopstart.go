package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
	"github.com/ordersaga/ordersaga/tools/devstack/internal/supervisor"
)

// stopServices stops services of a running stack by name and lets the others run, to see how they cope.
func stopServices(ctx context.Context, args []string, stdout io.Writer) error {
	return change(ctx, "stop", args, stdout, func(stopped, names []string) []string {
		return slices.Compact(slices.Sorted(slices.Values(append(stopped, names...))))
	})
}

// startServices starts what stopServices stopped.
func startServices(ctx context.Context, args []string, stdout io.Writer) error {
	return change(ctx, "start", args, stdout, func(stopped, names []string) []string {
		return slices.DeleteFunc(stopped, func(name string) bool { return slices.Contains(names, name) })
	})
}

// change changes the list of stopped services of a running stack.
func change(
	ctx context.Context, command string, args []string, stdout io.Writer, update func(stopped, names []string) []string,
) error {
	o, names, err := flags(command, args, nil)
	if err != nil {
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
	if err := knownServices(c, command, names); err != nil {
		return err
	}
	c.Stopped = update(c.Stopped, names)
	return reload(ctx, c, pid, newConsole(stdout))
}

// knownServices returns an error unless all names are services of the running stack, and there is at least one.
func knownServices(c config.Config, command string, names []string) error {
	status, err := supervisor.ReadStatus(c.StatusFile())
	if err != nil {
		return err
	}
	var known []string
	for _, s := range status.Services {
		known = append(known, s.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return usageError{fmt.Errorf("%s: there is no service %q; there are %s", command, name, strings.Join(known, ", "))}
		}
	}
	if len(names) == 0 {
		return usageError{fmt.Errorf("%s: name one or more of %s", command, strings.Join(known, ", "))}
	}
	return nil
}
