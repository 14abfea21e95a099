// Command demo shows what the system does, on a running stack. It fills the catalog, places orders that end in different
// ways, and shows for each the response, the stock, the money and the message. `make demo` runs it.
//
// It takes nothing for granted: it reads everything that it shows from the system, compares it with the promise, and marks it
// ✓ or ✗. It exits with 1 when a promise is broken.
//
// story.go holds the orders and their promised ends, scene.go plays one of them.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

// config says where the stack is. The defaults fit devstack and Docker Compose.
type config struct {
	API        string `env:"API_URL" envDefault:"http://127.0.0.1:8080" form:"http" help:"base URL of the api"`
	Catalog    string `env:"CATALOG_URL" envDefault:"http://127.0.0.1:4002" form:"http" help:"base URL of the catalog"`
	Gateway    string `env:"STRIPE_API_URL" envDefault:"http://127.0.0.1:12111" form:"http" help:"base URL of stripesim"`
	RabbitMQ   string `env:"RABBITMQ_URL" envDefault:"amqp://orders:orders@127.0.0.1:15673/" secret:"true" help:"broker of events"`
	RabbitMQUI string `env:"RABBITMQ_UI_URL" envDefault:"http://127.0.0.1:15674" form:"http" help:"RabbitMQ's page, for links"`
	TemporalUI string `env:"TEMPORAL_UI_URL" envDefault:"http://127.0.0.1:8233" form:"http" help:"Temporal Web UI, for links"`
	Temporal   string `env:"TEMPORAL_ADDRESS" envDefault:"127.0.0.1:7233" form:"address" help:"Temporal, for the shown commands"`
	NoColor    string `env:"NO_COLOR" help:"any value switches colors off; they are also off when the output is not a terminal"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context, args, environ []string, stdout *os.File, stderr io.Writer) int {
	c, err := env.Parse[config](environ)
	switch {
	case len(args) == 1 && (args[0] == "--help" || args[0] == "-h"):
		fmt.Fprint(stdout, "demo: places orders on a running stack and shows what happens to them\n\n",
			"Environment variables (name, default, meaning):\n\n")
		env.Usage(stdout, env.Variables[config]())
		return program.ExitOK
	case len(args) > 0:
		fmt.Fprintf(stderr, "demo: unknown arguments %q; --help is the only one\n", args)
		return program.ExitUsage
	case err != nil:
		fmt.Fprintf(stderr, "demo: the configuration is wrong:\n%v\n", err)
		return program.ExitUsage
	}
	out := &report{w: stdout, color: c.NoColor == "" && isTerminal(stdout)}
	if err := run(ctx, c, out); err != nil {
		fmt.Fprintf(stderr, "\ndemo: %v\n", err)
		return program.ExitFailed
	}
	return program.ExitOK
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func run(ctx context.Context, c config, out *report) error {
	s, err := newStack(c)
	if err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return fmt.Errorf("%w\n      `make up` starts the stack, `make status` shows it", err)
	}
	events, err := listen(ctx, c.RabbitMQ)
	if err != nil {
		return fmt.Errorf("%w\n      `make up` starts the stack, `make status` shows it", err)
	}
	defer events.Close()
	s.events = events
	if err := seed(ctx, s, out); err != nil {
		return err
	}
	lastOrder, err := tell(ctx, s, out)
	if err != nil {
		return err
	}
	whatNext(out, c, lastOrder)
	return nil
}

// callTimeout bounds one call. It is longer than the api waits for an outcome.
const callTimeout = 45 * time.Second

func newStack(c config) (*stack, error) {
	orders, err := orderclient.New(c.API,
		orderclient.WithHTTPClient(&http.Client{Timeout: callTimeout}), orderclient.WithTries(1, 0))
	return &stack{
		orders: orders, api: c.API, catalog: c.Catalog, gateway: c.Gateway, temporalUI: c.TemporalUI, patience: 30 * time.Second,
	}, err
}
