// Package example is what the mains of the examples have in common.
package example

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

// Main runs an example against the Temporal server at TEMPORAL_ADDRESS, by default localhost:7233. It starts a worker that
// register prepares, runs do and stops.
func Main(queue string, register func(worker.Registry), do func(context.Context, client.Client) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, queue, register, do)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(
	ctx context.Context, queue string, register func(worker.Registry), do func(context.Context, client.Client) error,
) error {
	quiet := log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	c, err := client.DialContext(ctx, client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS"), Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	register(w)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	return do(ctx, c)
}
