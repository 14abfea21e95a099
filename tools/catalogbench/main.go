// Command bench measures the catalog on a server that speaks MongoDB's protocol: how fast stock is reserved and sold,
// how fast products are priced and listed, and whether any of it slows down as the shelf grows.
//
//	MONGODB_URI=mongodb://127.0.0.1:27117/ go -C tools run ./catalogbench -sizes 10000,100000
//
// It calls the catalog's services in its own process, without HTTP, in a database of its own that it drops at the end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

type config struct {
	MongoDBURI string `env:"MONGODB_URI,required,notEmpty" secret:"true" help:"server that speaks MongoDB's protocol"`
}

// options are what the command line says.
type options struct {
	sizes   []int         // of the shelf, growing
	turn    time.Duration // of each measurement
	clients int
	behind  int           // orders
	rest    time.Duration // after loading, at most
	json    string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	sizes := set.String("sizes", "10000,100000,1000000", "how many products there are, growing")
	set.DurationVar(&o.turn, "for", 5*time.Second, "how long each measurement takes")
	set.IntVar(&o.clients, "concurrency", 16, "how many clients reserve, sell and price at a time")
	set.IntVar(&o.behind, "behind", 5000, "how many orders there are of the one product when it is measured again")
	set.DurationVar(&o.rest, "rest", 2*time.Minute, "how long the server may tidy up after loading products, but not longer than that took")
	set.StringVar(&o.json, "json", "", "write the results to this file as well")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < leastProducts || len(o.sizes) > 0 && n <= o.sizes[len(o.sizes)-1] {
			return o, fmt.Errorf("-sizes: want growing numbers from %d on, as in 10000,100000", leastProducts)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.turn < 100*time.Millisecond || o.clients < 1 || o.behind < 0 || o.rest < 0 || set.NArg() > 0 {
		return o, errors.New("-for must be at least 100ms, -concurrency at least 1, -behind and -rest at least 0, and there are no other arguments")
	}
	return o, nil
}

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	c, err := env.Parse[config](environ)
	if err != nil {
		return err
	}
	began := time.Now()
	b, err := open(ctx, c.MongoDBURI, o, func(format string, args ...any) {
		fmt.Fprintf(stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.measure(ctx); err != nil {
		return err
	}
	print(stdout, o, b.results)
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(b.results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o644)
}
