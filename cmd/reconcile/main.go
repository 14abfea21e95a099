// Command reconcile compares the payment gateway's ledger with the orders, and prints what differs:
//
//	reconcile                                             # a table
//	reconcile --since 720h --json                         # orders of the last 30 days, for machines
//	reconcile --repair --operator ann --reason "ticket 7" # gives back what must not be kept
//
// What it holds against each other: of a CONFIRMED order the gateway keeps exactly the total, of the one payment that the
// order names; of every other order nothing. Orders younger than --min-age are left out, because their saga may be at
// work. Whatever looks wrong is looked at a second time, row and payment alike, before it is reported.
//
// It asks the gateway through the same interface as the worker, so it works with the real one and with the simulator. It
// keeps a short record of every payment in memory, some 150 MB for a million; --since bounds that.
//
// Exit codes: 0 nothing differs (or all of it was repaired), 1 something differs, 2 wrong arguments or configuration,
// 3 the comparison could not be completed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// Exit codes.
const (
	exitSame = iota
	exitDifferent
	exitUsage
	exitIncomplete
)

type config struct {
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty" form:"postgres://user:password@host:port/name" secret:"true" help:"PostgreSQL with the orders; --repair writes to their timelines"`
	StripeURL   string `env:"STRIPE_API_URL" envDefault:"http://127.0.0.1:12111" form:"http://host:port" help:"payment gateway: https://api.stripe.com, or the simulator's address"`
	StripeKey   string `env:"STRIPE_API_KEY,required,notEmpty" secret:"true" help:"secret API key of the payment gateway"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitSame
	}
	if err != nil {
		fmt.Fprintf(stderr, "reconcile: %v\n(reconcile --help says more)\n", err)
		return exitUsage
	}
	c, err := env.Parse[config](environ)
	if err != nil {
		fmt.Fprintf(stderr, "reconcile: the configuration is wrong:\n%v\n(reconcile --help lists every variable)\n", err)
		return exitUsage
	}
	different, err := reconcile(ctx, c, o, stdout)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "reconcile: %v\n", err)
		return exitIncomplete
	case different:
		return exitDifferent
	}
	return exitSame
}

// options are the command line.
type options struct {
	since, minAge    time.Duration
	json, repair     bool
	operator, reason string
}

func parse(args []string, stdout io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("reconcile", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&o.since, "since", 0, "compare orders placed at most so long `ago`, as in 720h; 0: all")
	flags.DurationVar(&o.minAge, "min-age", 30*time.Minute, "leave out orders that are `younger`: their saga may be at work")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.BoolVar(&o.repair, "repair", false, "give back what must not be kept; needs --operator and --reason")
	flags.StringVar(&o.operator, "operator", "", "`who` repairs; kept on the order's timeline")
	flags.StringVar(&o.reason, "reason", "", "`why`; kept on the order's timeline")
	flags.Usage = func() {
		fmt.Fprint(stdout, "reconcile: compares the payment gateway's ledger with the orders\n\nFlags:\n\n")
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		fmt.Fprint(stdout, "\nEnvironment variables (name, default, meaning):\n\n")
		env.Usage(stdout, env.Variables[config]())
		fmt.Fprint(stdout, "\nExit codes: 0 nothing differs, 1 something differs, 2 wrong arguments or configuration, 3 could not complete.\n")
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unknown arguments %q", flags.Args())
	case o.since < 0 || o.minAge < 0:
		return o, errors.New("--since and --min-age must not be negative")
	case o.repair && (o.operator == "" || o.reason == ""):
		return o, errors.New("--repair needs --operator and --reason: they are kept on the timelines of the orders")
	case !o.repair && (o.operator != "" || o.reason != ""):
		return o, errors.New("--operator and --reason are for --repair")
	}
	return o, nil
}

// reconcile compares, repairs when asked to, prints, and reports whether anything still differs.
func reconcile(ctx context.Context, c config, o options, stdout io.Writer) (different bool, err error) {
	pool, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return false, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer pool.Close()
	payments, err := stripe.New(stripe.Config{URL: c.StripeURL, Key: c.StripeKey}, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, fmt.Errorf("STRIPE_API_URL, STRIPE_API_KEY: %w", err)
	}
	books := books{orders: postgres.NewOrders(pool), payments: payments, now: time.Now()}
	r, err := books.compare(ctx, o)
	if err != nil {
		return false, err
	}
	if o.repair {
		books.repair(ctx, o, r.Differences)
	}
	if o.json {
		err = r.writeJSON(stdout)
	} else {
		err = r.writeTable(stdout)
	}
	return r.left() > 0, err
}
