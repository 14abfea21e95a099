package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ordersaga/ordersaga/tools/devstack/internal/config"
)

// some are services of a running stack.
type some struct {
	stack
	Services []string `arg:"" name:"service" help:"Services or programs, as status lists them."`
}

type stop struct{ some }

func (s stop) Run(ctx context.Context, out *console) error {
	return s.change(ctx, out, func(c *config.Config) error {
		c.Stopped = slices.Compact(slices.Sorted(slices.Values(append(c.Stopped, s.Services...))))
		return c.Apply(os.Environ())
	})
}

type start struct{ some }

func (s start) Run(ctx context.Context, out *console) error {
	return s.change(ctx, out, func(c *config.Config) error {
		c.Stopped = slices.DeleteFunc(c.Stopped, func(name string) bool { return slices.Contains(s.Services, name) })
		return c.Apply(os.Environ(), s.Services...)
	})
}

// change changes the configuration of a running stack.
func (s some) change(ctx context.Context, out *console, update func(*config.Config) error) error {
	c, status, pid, err := s.running()
	if err != nil {
		return err
	}
	var known []string
	for _, service := range status.Services {
		known = append(known, service.Name)
	}
	for _, name := range s.Services {
		if !slices.Contains(known, name) {
			return usageError{fmt.Errorf("there is no service %q; there are %s", name, strings.Join(known, ", "))}
		}
	}
	if err := update(&c); err != nil {
		return usageError{err}
	}
	return reload(ctx, c, pid, out)
}
