// Package notifier tells customers how their orders ended, and operators of orders that cannot go on by themselves. It
// consumes ORDER_CONFIRMED, ORDER_CANCELLED and ORDER_NEEDS_ATTENTION:
//
//	message ──▶ inbox + notification + outbox ──commit──▶ ack
//	                                    │
//	                                    └──▶ mail, webhook or log ──▶ recorded as sent
//
// The first half happens once for each event, however often the event comes: store.go. The second happens at least once:
// a crash between sending and recording that sends again, under the same Message-ID or webhook-id (sender.go, outbox.go).
// letter.go and text.go are what people read. Where a user is told is in the table directory; who is not listed there is
// told by a line in the log.
//
// Which notifications there are:
//
//	GET /notifications?orderId=ID
//
// `notifier --help` lists the configuration.
package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// run consumes and sends until ctx is done. It needs its database to start, but not the broker, for which it waits.
func Run(ctx context.Context, config Config, log *slog.Logger) (err error) {
	pool, err := pgdb.Open(ctx, config.DatabaseURL)
	if err != nil {
		return fmt.Errorf("NOTIFIER_DATABASE_URL: %w", err)
	}
	defer pool.Close()
	if err := pgdb.Migrate(ctx, pool, migrations()); err != nil {
		return err
	}
	mail, err := config.mailer()
	if err != nil {
		return err
	}
	store := &store{pool}
	sender := newSender(store, mail, log, config.Senders)

	broker := rabbitmq.Config{URL: config.RabbitMQURL, Name: "notifier", Topology: config.topology(), Log: log}
	publisher, err := rabbitmq.NewPublisher(broker) // moves messages that fail
	if err != nil {
		return fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	defer func() { err = errors.Join(err, publisher.Close()) }()
	n := &notifier{store: store, mails: mail != nil, operators: config.operators(), recorded: sender.nudge, log: log}
	consumer, err := newConsumer(broker, n, publisher, config.Workers)
	if err != nil {
		return err
	}
	checks := map[string]httpserver.Check{"database": pool.Ping, "rabbitmq": consumer.Ready}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return consumer.Run(ctx) })
	g.Go(func() error { return sender.run(ctx) })
	g.Go(func() error { return httpserver.Serve(ctx, config.Addr, newAPI(store, checks, log), log) })
	return g.Wait()
}

func newConsumer(broker rabbitmq.Config, n *notifier, publisher *rabbitmq.Publisher, workers int) (*rabbitmq.Consumer, error) {
	return rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config:  broker,
		Queues:  []string{rabbitmq.QueueConfirmed, rabbitmq.QueueCancelled, rabbitmq.QueueNeedsAttention},
		Handle:  n.handle,
		Workers: workers,
	}, publisher)
}
