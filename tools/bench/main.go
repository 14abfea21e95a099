// Command bench measures what an order costs on a running stack, beside the same steps without an engine, on another
// engine, and beside an empty workflow. `make bench` runs it on a throw-away stack.
//
// Each mode (modes.go) is a closed loop: every client asks for its next order as soon as it has the response to its last
// one (load.go). The machine is never quite the same twice, so the modes take turns, in rounds, and every second round goes
// backwards. Ratios are taken within a round; their median and spread are reported (result.go). Every order's end is
// checked, and a wrong one stops the benchmark.
//
// CPU time is what the kernel counted for each program, PostgreSQL by database (proc.go). It includes the clients, and half
// a second after each turn for work that goes on after the response.
//
// Three flags measure something else instead: -sheet counts what one order costs in calls, statements and bytes (sheet.go),
// -growth measures the api while the number of stored orders grows (growth.go), and -soak watches the memory of all programs
// (soak.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// config says where the stack is; `devstack exec` sets these variables.
type config struct {
	API          string `env:"API_URL,notEmpty" form:"http" help:"base URL of the api"`
	Catalog      string `env:"CATALOG_URL,notEmpty" form:"http" help:"base URL of the catalog"`
	StripeURL    string `env:"STRIPE_API_URL,notEmpty" form:"http" help:"base URL of stripesim"`
	StripeKey    string `env:"STRIPE_API_KEY,notEmpty" secret:"true" help:"its API key"`
	DatabaseURL  string `env:"DATABASE_URL,notEmpty" secret:"true" help:"PostgreSQL with the orders"`
	SuperuserURL string `env:"TEST_POSTGRES_URL,notEmpty" secret:"true" help:"the same server, as its superuser"`
	RabbitMQURL  string `env:"RABBITMQ_URL,notEmpty" secret:"true" help:"broker of the order events"`
	MongoDBURI   string `env:"MONGODB_URI,notEmpty" secret:"true" help:"the catalog's store"`
	Data         string `env:"DEVSTACK_DATA,notEmpty" help:"the stack's data directory"`
	Temporal     temporalclient.Config
}

// options are what the command line says.
type options struct {
	clients, rounds, lines, products int
	segment                          time.Duration
	only, bin, json                  string

	sheet, soak int
	growth      []int
}

// parse reads the arguments. It returns flag.ErrHelp after printing help.
func parse(args []string, stdout io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.IntVar(&o.clients, "concurrency", 32, "number of clients")
	set.IntVar(&o.rounds, "rounds", 4, "turns of each mode")
	set.DurationVar(&o.segment, "segment", 4*time.Second, "length of a turn")
	set.IntVar(&o.lines, "lines", 1, "products in an order")
	set.IntVar(&o.products, "products", 100, "products to choose from")
	set.StringVar(&o.only, "only", "", "measure only these modes, for example empty,plain,one-process (default: all)")
	set.StringVar(&o.bin, "bin", "bin", "directory of the built programs and devstack")
	set.StringVar(&o.json, "json", "", "also write the results to this file as JSON")
	set.IntVar(&o.sheet, "sheet", 0, "count what an order costs instead, on average over this `number` of orders of each mode")
	set.IntVar(&o.soak, "soak", 0, "place this `number` of orders instead, and print the memory of each program")
	set.Func("growth", "measure the api instead at these `numbers` of orders, for example 10000,100000", func(text string) (err error) {
		o.growth, err = parseSizes(text)
		return err
	})
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, "bench: measures what an order costs, on a running stack\n\n")
		set.SetOutput(stdout)
		set.PrintDefaults()
		fmt.Fprintln(stdout, "\nModes:")
		for _, m := range modes {
			fmt.Fprintf(stdout, "  %-12s %s\n", m.name, m.about)
		}
		return o, err
	}
	if set.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unknown arguments %q", set.Args()))
	}
	return o, errors.Join(err, o.validate())
}

// maxSize bounds what -growth writes: ten million orders are some 10 GB.
const maxSize = 10_000_000

func parseSizes(text string) ([]int, error) {
	var sizes []int
	for text := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSize || len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("want ascending numbers from 1 to %d, for example 10000,100000", maxSize)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

func (o options) validate() error {
	var problems []error
	check := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, errors.New(problem))
		}
	}
	check(min(o.clients, o.rounds, o.lines) > 0, "-concurrency, -rounds, -lines: must be at least 1")
	check(o.lines <= o.products, "-lines: must not be more than -products")
	check(o.segment >= 100*time.Millisecond, "-segment: must be at least 100ms")
	for name := range strings.SplitSeq(o.only, ",") {
		known := slices.ContainsFunc(modes, func(m mode) bool { return m.name == name })
		check(o.only == "" || known, fmt.Sprintf("-only: there is no mode %q", name))
	}
	return errors.Join(problems...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute is main without the process around it.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return program.ExitOK
	}
	c, configErr := env.Parse[config](environ)
	if err := errors.Join(err, configErr); err != nil {
		fmt.Fprintf(stderr, "bench: %v\n(bench --help says more)\n", err)
		return program.ExitUsage
	}
	if err := bench(ctx, c, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "\nbench: %v\n", err)
		return program.ExitFailed
	}
	return program.ExitOK
}

// bench opens what it measures, measures it, and closes it.
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
	switch {
	case o.growth != nil:
		return s.measureGrowth(ctx, stdout)
	case o.soak > 0:
		return s.soak(ctx, stdout)
	case o.sheet > 0:
		return s.costSheet(ctx, stdout)
	default:
		return s.compare(ctx, stdout)
	}
}
