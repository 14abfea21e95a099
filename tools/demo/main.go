// Command demo shows what the system does, on a running stack: it fills the catalog, places orders over HTTP that end in
// different ways, and shows for each what the client is told, what becomes of the stock and of the money, and which
// message went out. It is what `make demo` runs.
//
// It believes nothing: everything that it shows is read from the system, compared with what was promised, and marked ✓
// or ✗. It exits 1 when anything is not as promised.
//
// story.go holds the orders and their promised ends, scene.go plays one of them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
	"github.com/ordersaga/ordersaga/internal/program"
)

// config says where the stack is. The defaults are those of both ways to run it.
type config struct {
	API        string `env:"API_URL" envDefault:"http://127.0.0.1:8080" form:"http://host:port" help:"base URL of the api"`
	Catalog    string `env:"CATALOG_URL" envDefault:"http://127.0.0.1:4002" form:"http://host:port" help:"base URL of the catalog"`
	Gateway    string `env:"STRIPE_API_URL" envDefault:"http://127.0.0.1:12111" form:"http://host:port" help:"base URL of stripesim, the payment gateway"`
	RabbitMQ   string `env:"RABBITMQ_URL" envDefault:"amqp://orders:orders@127.0.0.1:15673/" form:"amqp://user:password@host:port/vhost" secret:"true" help:"where the order events go"`
	RabbitMQUI string `env:"RABBITMQ_UI_URL" envDefault:"http://127.0.0.1:15674" form:"http://host:port" help:"RabbitMQ's management page, for the list of links"`
	TemporalUI string `env:"TEMPORAL_UI_URL" envDefault:"http://127.0.0.1:8233" form:"http://host:port" help:"Temporal Web UI, for links"`
	Temporal   string `env:"TEMPORAL_ADDRESS" envDefault:"127.0.0.1:7233" form:"host:port" help:"Temporal server, for the commands that are shown"`
	NoColor    string `env:"NO_COLOR" help:"any value: no colours; there are none either when the output is not a terminal"`
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
		fmt.Fprint(stdout, "demo: places orders on a running stack and shows what becomes of them\n\n",
			"Environment variables (name, default, meaning):\n\n")
		env.Usage(stdout, env.Variables[config]())
		return program.ExitOK
	case len(args) > 0:
		fmt.Fprintf(stderr, "demo: unknown arguments %q; it takes none but --help\n", args)
		return program.ExitUsage
	case err != nil:
		fmt.Fprintf(stderr, "demo: the configuration is wrong:\n%v\n", err)
		return program.ExitUsage
	}
	out := &report{w: stdout, colour: c.NoColor == "" && isTerminal(stdout)}
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
	s := &stack{
		api: client{"the api", c.API}, catalog: client{"the catalog", c.Catalog},
		gateway: client{"the payment gateway", c.Gateway}, temporalUI: c.TemporalUI, patience: 30 * time.Second,
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
