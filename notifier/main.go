// Command notifier tells customers how their orders ended. It consumes ORDER_CONFIRMED and ORDER_CANCELLED, writes one
// notification for each event however often the event comes, and answers which notifications there are:
//
//	GET /notifications?orderId=ID
//
// store.go is where "once" is kept, text.go is what customers read. `notifier --help` lists the configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"ordersaga/internal/httpserver"
	"ordersaga/internal/pgdb"
	"ordersaga/internal/program"
	"ordersaga/internal/rabbitmq"
)

func main() {
	program.Main("notifier", "tells customers how their orders ended", run)
}

type config struct {
	Addr        string `env:"NOTIFIER_ADDR" envDefault:"127.0.0.1:4004" help:"host:port of the probes and of GET /notifications"`
	DatabaseURL string `env:"NOTIFIER_DATABASE_URL,required,notEmpty" secret:"true" help:"PostgreSQL database of the notifier: postgres://user:password@host:port/name"`
	RabbitMQURL string `env:"RABBITMQ_URL,required,notEmpty" secret:"true" help:"broker of the order events: amqp://user:password@host:port/vhost"`
	Workers     int    `env:"NOTIFIER_WORKERS" envDefault:"4" help:"messages of each queue that are handled at a time, 1 to 64"`
}

// Validate checks what no single field's type does.
func (c config) Validate() error {
	if c.Workers < 1 || c.Workers > 64 {
		return fmt.Errorf("NOTIFIER_WORKERS: %d is not between 1 and 64", c.Workers)
	}
	return nil
}

// run consumes until ctx is done. It needs its database to start, but not the broker, for which it waits.
func run(ctx context.Context, config config, log *slog.Logger) (err error) {
	pool, err := pgdb.Open(ctx, config.DatabaseURL)
	if err != nil {
		return fmt.Errorf("NOTIFIER_DATABASE_URL: %w", err)
	}
	defer pool.Close()
	if err := pgdb.Migrate(ctx, pool, migrations()); err != nil {
		return err
	}
	broker := rabbitmq.Config{URL: config.RabbitMQURL, Name: "notifier", Log: log}
	publisher, err := rabbitmq.NewPublisher(broker) // moves messages that fail
	if err != nil {
		return fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	defer func() { err = errors.Join(err, publisher.Close()) }()
	store := &store{pool}
	consumer, err := newConsumer(broker, store, publisher, config.Workers)
	if err != nil {
		return err
	}
	checks := map[string]httpserver.Check{"database": pool.Ping, "rabbitmq": consumer.Ready}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return consumer.Run(ctx) })
	g.Go(func() error { return httpserver.Serve(ctx, config.Addr, newAPI(store, checks, log), log) })
	return g.Wait()
}

func newConsumer(broker rabbitmq.Config, store *store, publisher *rabbitmq.Publisher, workers int) (*rabbitmq.Consumer, error) {
	return rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config:  broker,
		Queues:  []string{rabbitmq.QueueConfirmed, rabbitmq.QueueCancelled},
		Handle:  (&notifier{store: store, log: broker.Log}).handle,
		Workers: workers,
	}, publisher)
}
