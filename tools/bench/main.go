package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute is main without the process around it. With emptyWorkerCommand as the only argument it is a worker.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == emptyWorkerCommand {
		return program.Execute(ctx, "bench-"+emptyWorkerCommand, "a worker that knows the empty workflow only",
			nil, environ, stdout, stderr, runEmptyWorker)
	}
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return program.ExitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n(bench --help says more)\n", err)
		return program.ExitUsage
	}
	c, err := env.Parse[config](environ)
	if err != nil {
		fmt.Fprintf(stderr, "bench: the configuration is wrong:\n%v\n", err)
		return program.ExitUsage
	}
	if err := o.canProfile(c); err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return program.ExitUsage
	}
	if err := bench(ctx, c, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "\nbench: %v\n", err)
		return program.ExitFailed
	}
	return program.ExitOK
}

// bench measures, and writes what it found.
func bench(ctx context.Context, c config, o options, stdout, stderr io.Writer) (err error) {
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	s, err := open(ctx, c, o, say)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	if o.growth != "" {
		g, err := s.measureGrowth(ctx, o.sizes, say)
		if err != nil {
			return err
		}
		g.print(stdout)
		return g.write(o.json, say)
	}
	r := Result{Measured: began.UTC(), Settings: o.settings()}
	if r.Machine, err = s.describe(ctx); err != nil {
		return err
	}
	for _, list := range []*struct {
		modes   []mode
		segment time.Duration
	}{{s.modes(), o.segment}, {s.ways(), o.segment / 2}} {
		list.modes = o.wanted(list.modes)
		measured, err := s.measure(ctx, list.modes, o, list.segment, say)
		if err != nil {
			return err
		}
		r.add(measured)
	}
	r.Seconds = time.Since(began).Seconds()
	r.print(stdout)
	return r.write(o, say)
}
