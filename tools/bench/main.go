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
// Three flags measure something else instead: --sheet counts what one order costs in calls, statements and bytes (sheet.go),
// --growth measures the api while the number of stored orders grows (growth.go), and --soak watches the memory of all
// programs (soak.go).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

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
	Concurrency int           `default:"32" help:"Number of clients."`
	Rounds      int           `default:"4" help:"Turns of each mode."`
	Segment     time.Duration `default:"4s" help:"Length of a turn."`
	Only        []string      `enum:"${modes}" help:"Measure only these modes, for example empty,plain,one-process."`
	Bin         string        `default:"bin" help:"Directory of the built programs and devstack."`
	JSON        string        `placeholder:"FILE" help:"Also write the results to this file, as JSON."`
	Sheet       int           `help:"Count what an order costs instead, on average over this number of orders of each mode."`
	Soak        int           `help:"Place this number of orders instead, and print the memory of each program."`
	Growth      []int         `help:"Measure the api instead at these numbers of orders, for example 10000,100000."`
}

// maxSize bounds what --growth writes: ten million orders are some 10 GB.
const maxSize = 10_000_000

// Validate is called by kong.
func (o *options) Validate() error {
	var problems []error
	check := func(ok bool, problem string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(problem, args...))
		}
	}
	check(min(o.Concurrency, o.Rounds) > 0, "--concurrency, --rounds: must be at least 1")
	check(o.Segment >= 100*time.Millisecond, "--segment: must be at least 100ms")
	ascending := slices.IsSortedFunc(o.Growth, func(a, b int) int { return cmp.Or(cmp.Compare(a, b), -1) })
	check(len(o.Growth) == 0 || ascending && o.Growth[0] > 0 && o.Growth[len(o.Growth)-1] <= maxSize,
		"--growth: want ascending numbers from 1 to %d", maxSize)
	return errors.Join(problems...)
}

// parse reads the arguments. After --help it reports that it has helped.
func parse(args []string, stdout io.Writer) (o options, helped bool, err error) {
	names, about := []string{}, "Measures what an order costs, on a running stack. The modes:\n\n"
	for _, m := range modes {
		names = append(names, m.name)
		about += fmt.Sprintf("  %-12s %s\n", m.name, m.about)
	}
	parser := kong.Must(&o, kong.Name("bench"), kong.Description(about), kong.Vars{"modes": strings.Join(names, ",")},
		kong.Writers(stdout, io.Discard), kong.Exit(func(int) { helped = true }))
	_, err = parser.Parse(args)
	return o, helped, err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// execute is main without the process around it.
func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	o, helped, err := parse(args, stdout)
	if helped {
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
	case o.Growth != nil:
		return s.measureGrowth(ctx, stdout)
	case o.Soak > 0:
		return s.soak(ctx, stdout)
	case o.Sheet > 0:
		return s.costSheet(ctx, stdout)
	default:
		return s.compare(ctx, stdout)
	}
}
