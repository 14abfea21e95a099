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
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/program"
)

// config says where the stack is. The defaults fit devstack and Docker Compose.
type config struct {
	API        string `env:"API_URL" default:"http://127.0.0.1:8080" help:"Base URL of the api."`
	Catalog    string `env:"CATALOG_URL" default:"http://127.0.0.1:4002" help:"Base URL of the catalog."`
	Gateway    string `env:"STRIPE_API_URL" default:"http://127.0.0.1:12111" help:"Base URL of stripesim."`
	RabbitMQ   string `name:"rabbitmq" env:"RABBITMQ_URL" default:"amqp://orders:orders@127.0.0.1:15673/" help:"Broker of events."`
	RabbitMQUI string `name:"rabbitmq-ui" env:"RABBITMQ_UI_URL" default:"http://127.0.0.1:15674" help:"RabbitMQ's page, for links."`
	TemporalUI string `env:"TEMPORAL_UI_URL" default:"http://127.0.0.1:8233" help:"Temporal Web UI, for links."`
	Temporal   string `env:"TEMPORAL_ADDRESS" default:"127.0.0.1:7233" help:"Temporal, for the shown commands."`
	NoColor    string `env:"NO_COLOR" help:"Any value switches colors off. Without a terminal there are none."`
}

func main() {
	var c config
	kong.Parse(&c, kong.Name("demo"), kong.Description("Places orders on a running stack and shows what happens to them."))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, c, &report{w: os.Stdout, color: c.NoColor == "" && isTerminal(os.Stdout)})
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(program.ExitFailed)
	}
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
	err = s.ready(ctx)
	var events *listener
	if err == nil {
		events, err = listen(ctx, c.RabbitMQ)
	}
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
