// Package notifier tells customers how their orders ended, what they get back and what is on its way, and operators which
// orders need attention and which refunds did not reach the customer. It consumes the events of docs/events.md in batches:
//
//	messages ──▶ notifications + outbox ──commit──▶ one ack for the batch
//	                               │
//	                               └──▶ mail, webhook or log ──▶ recorded as sent
//
// The first half takes effect once per event, even if the event comes again (store.go). The second half takes effect at
// least once: after a crash between sending and recording, the delivery is sent again under the same Message-ID or
// webhook-id (sender.go, outbox.go). content.go, refundcontent.go and shipmentcontent.go write what
// people read. The table contacts says where each
// user wants to be told; users without an address are told by a line in the log.
//
// GET /notifications?orderId=ID lists what was told about an order. `notifier --help` lists the configuration.
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

// Run consumes and sends until ctx is done. To start it needs its database. For the broker it waits.
func Run(ctx context.Context, config Config, log *slog.Logger) (err error) {
	db, err := pgdb.Open(ctx, config.DatabaseURL)
	if err != nil {
		return fmt.Errorf("NOTIFIER_DATABASE_URL: %w", err)
	}
	defer db.Close()
	if err := pgdb.Migrate(ctx, db.Pool, migrations); err != nil {
		return err
	}
	mail, err := config.mailer()
	if err != nil {
		return err
	}
	store := &store{db.Pool}
	sender := newSender(store, mail, log, config.Senders)
	sender.operators = config.operators()
	stopShowing, err := showOutbox(store, log)
	if err != nil {
		return err
	}
	defer stopShowing()

	broker := rabbitmq.Config{URL: config.RabbitMQURL, Name: "notifier", Topology: config.topology(), Log: log}
	publisher, err := rabbitmq.NewPublisher(broker) // moves messages that fail
	if err != nil {
		return fmt.Errorf("RABBITMQ_URL: %w", err)
	}
	defer func() { err = errors.Join(err, publisher.Close()) }()
	n := &notifier{store: store, mails: mail != nil, operators: config.operators(), recorded: sender.nudge, counters: newCounters(), log: log}
	consumer, err := newConsumer(broker, n, publisher, config.Workers)
	if err != nil {
		return err
	}
	checks := map[string]httpserver.Check{"database": db.Ready, "rabbitmq": consumer.Ready}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return consumer.Run(ctx) })
	g.Go(func() error { return sender.run(ctx) })
	g.Go(func() error {
		return httpserver.Serve(ctx, config.Addr, httpserver.TLS{}, newAPI(store, checks, log), log)
	})
	return g.Wait()
}

func newConsumer(broker rabbitmq.Config, n *notifier, publisher *rabbitmq.Publisher, workers int) (*rabbitmq.Consumer, error) {
	return rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config:  broker,
		Queues:  rabbitmq.DefaultTopology().Queues,
		Handle:  n.handle,
		Workers: workers,
	}, publisher)
}
