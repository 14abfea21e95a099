package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// config says where the stack is; `devstack exec` sets these variables.
type config struct {
	API         string `env:"API_URL,required,notEmpty" form:"http://host:port" help:"base URL of the api"`
	Catalog     string `env:"CATALOG_URL,required,notEmpty" form:"http://host:port" help:"base URL of the catalog"`
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty" form:"postgres://user:password@host:port/name" secret:"true" help:"PostgreSQL with the orders"`
	Data        string `env:"DEVSTACK_DATA,required,notEmpty" help:"the stack's data directory"`
	WorkerPprof string `env:"DEVSTACK_WORKER_PPROF_ADDR" help:"where the worker offers profiles"`
	APIPprof    string `env:"DEVSTACK_API_PPROF_ADDR" help:"where the api offers profiles"`
	Temporal    temporalclient.Config
}

// options are what the command line says.
type options struct {
	clients  int
	rounds   int
	segment  time.Duration
	lines    int
	products int
	only     string
	bin      string
	json     string
	profile  string
	growth   string
	sizes    []int // what growth says
}

// parse reads the arguments. It returns flag.ErrHelp when help was asked for and given.
func parse(args []string, stdout io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.IntVar(&o.clients, "concurrency", 32, "how many clients ask at a time")
	set.IntVar(&o.rounds, "rounds", 4, "how often each mode gets its turn")
	set.DurationVar(&o.segment, "segment", 4*time.Second, "how long a turn is")
	set.IntVar(&o.lines, "lines", 1, "how many products an order is about")
	set.IntVar(&o.products, "products", 100, "how many products there are to choose from")
	set.StringVar(&o.only, "only", "", "measure these modes only, as in empty,fast (default: all)")
	set.StringVar(&o.bin, "bin", "bin", "directory with the built programs and devstack")
	set.StringVar(&o.json, "json", "", "write the results to this file as JSON, and a plot beside it as SVG")
	set.StringVar(&o.profile, "profile", "", "write CPU profiles of worker and api in the modes fast and http to this directory; make bench PROFILE=dir makes them offer some")
	set.StringVar(&o.growth, "growth", "", "measure the api instead, at these numbers of orders, as in 10000,100000")
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, "bench: measures what an order costs, on a running stack and beside an empty workflow\n\n")
		set.SetOutput(stdout)
		set.PrintDefaults()
		return o, err
	}
	if set.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unknown arguments %q", set.Args()))
	}
	var sizesErr error
	o.sizes, sizesErr = parseSizes(o.growth)
	return o, errors.Join(err, sizesErr, o.validate())
}

// canProfile reports what the stack lacks for the profiles that are wanted. devstack hands the variables on to the
// programs, as their PPROF_ADDR.
func (o options) canProfile(c config) error {
	if o.profile == "" || c.WorkerPprof != "" && c.APIPprof != "" {
		return nil
	}
	return errors.New("-profile: set DEVSTACK_WORKER_PPROF_ADDR and DEVSTACK_API_PPROF_ADDR to a loopback address with a port each, as 127.0.0.1:6060")
}

// maxSize bounds what growth writes: ten million orders are some 10 GB.
const maxSize = 10_000_000

func parseSizes(growth string) ([]int, error) {
	if growth == "" {
		return nil, nil
	}
	var sizes []int
	for text := range strings.SplitSeq(growth, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSize || len(sizes) > 0 && n <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("-growth: want ascending numbers from 1 to %d, as in 10000,100000", maxSize)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

func (o options) validate() error {
	var problems []error
	for name, v := range map[string]int{
		"concurrency": o.clients, "rounds": o.rounds, "lines": o.lines, "products": o.products,
	} {
		if v < 1 {
			problems = append(problems, fmt.Errorf("-%s: must be at least 1", name))
		}
	}
	if o.segment < 100*time.Millisecond {
		problems = append(problems, errors.New("-segment: must be at least 100ms"))
	}
	if o.lines > o.products {
		problems = append(problems, errors.New("-lines: must not be more than -products"))
	}
	return errors.Join(problems...)
}

// wanted returns those of the modes that -only names; all without -only.
func (o options) wanted(modes []mode) []mode {
	names := strings.Split(o.only, ",")
	return slices.DeleteFunc(modes, func(m mode) bool { return o.only != "" && !slices.Contains(names, m.name) })
}

// plot is the name of the plot's file, "" for none.
func (o options) plot() string {
	if o.json == "" {
		return ""
	}
	return strings.TrimSuffix(o.json, filepath.Ext(o.json)) + ".svg"
}

func (o options) settings() Settings {
	return Settings{
		Concurrency: o.clients, Rounds: o.rounds, SegmentS: o.segment.Seconds(), LinesPerOrder: o.lines, Products: o.products,
	}
}
