package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

func ExamplePublisher() {
	p, err := rabbitmq.NewPublisher(rabbitmq.Config{URL: os.Getenv("RABBITMQ_URL"), Name: "worker", Log: slog.Default()})
	if err != nil {
		return
	}
	defer p.Close()

	event := order.NewEvent(order.Order{ID: "0197a4b2-6c1e-7d3f-8a55-000000000001", Status: order.Confirmed})
	switch err := p.Publish(context.Background(), event); {
	case err == nil:
		fmt.Println("safe in a queue, on disk")
	case errors.Is(err, rabbitmq.ErrRefused):
		fmt.Println("no queue takes it")
	default: // rabbitmq.ErrUnknown, rabbitmq.ErrNotSent
		fmt.Println("publish it again, as it is")
	}
}

func ExampleConsumer() {
	config := rabbitmq.Config{URL: os.Getenv("RABBITMQ_URL"), Name: "printer", Log: slog.Default()}
	publisher, err := rabbitmq.NewPublisher(config) // moves messages that fail
	if err != nil {
		return
	}
	defer publisher.Close()
	consumer, err := rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config: config,
		Queues: []string{rabbitmq.QueueConfirmed},
		Handle: func(_ context.Context, batch []rabbitmq.Message) error {
			var lines strings.Builder
			for _, m := range batch {
				event, err := rabbitmq.DecodeEvent(m)
				if err != nil {
					return err // Poison, and nothing is printed: the others come again, one by one
				}
				fmt.Fprintln(&lines, event.OrderID, event.Status)
			}
			fmt.Print(lines.String())
			return nil // acknowledges the batch
		},
	}, publisher)
	if err != nil {
		return
	}
	_ = consumer.Run(context.Background()) // until the context is done
}
