// Command catalogbench measures the catalog on a server that speaks MongoDB's protocol: how fast it reserves and sells
// stock, how fast it prices and lists products, and whether any of it slows down as the number of products grows.
//
//	MONGODB_URI=mongodb://127.0.0.1:27117/ go -C tools run ./catalogbench -sizes 10000,100000
//
// It calls the catalog's services in its own process, without HTTP, in a new database that it drops at the end.
package main

import (
	"context"
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
		fmt.Fprintf(os.Stderr, "catalogbench: %v\n", err)
		os.Exit(1)
	}
}

type config struct {
	MongoDBURI string `env:"MONGODB_URI,required,notEmpty" secret:"true" help:"server that speaks MongoDB's protocol"`
}

// options are the flags.
type options struct {
	sizes   []int         // numbers of products, growing
	turn    time.Duration // of each measurement
	clients int
	behind  int           // earlier orders of a product
	rest    time.Duration // after loading, at most
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	set := flag.NewFlagSet("catalogbench", flag.ContinueOnError)
	set.SetOutput(stderr)
	sizes := set.String("sizes", "10000,100000,1000000", "numbers of products, growing")
	set.DurationVar(&o.turn, "for", 5*time.Second, "the time of each measurement")
	set.IntVar(&o.clients, "concurrency", 16, "how many clients reserve, sell and price")
	set.IntVar(&o.behind, "behind", 5000, "how many earlier orders a product has when it is measured again")
	set.DurationVar(&o.rest, "rest", 2*time.Minute, "the longest time for the server to clean up after loading products")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < leastProducts || len(o.sizes) > 0 && n <= o.sizes[len(o.sizes)-1] {
			return o, fmt.Errorf("-sizes: want growing numbers from %d on, such as 10000,100000", leastProducts)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.turn < 100*time.Millisecond || o.clients < 1 || o.behind < 0 || o.rest < 0 || set.NArg() > 0 {
		return o, errors.New("want -for at least 100ms, -concurrency at least 1, -behind and -rest at least 0, and no other arguments")
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
	return nil
}
