package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestTheListenerHearsOfEveryOrderWithoutTakingMessagesFromOthers(t *testing.T) {
	t.Parallel()
	url := servicestest.RabbitMQ(t)
	ch := rabbitmqtest.Channel(t, url)
	if err := ch.ExchangeDeclare(rabbitmq.Exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	theirs, err := ch.QueueDeclare("theirs", false, false, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(theirs.Name, "#", rabbitmq.Exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	ours, err := listen(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()

	publish := func(key, id, orderID string) {
		t.Helper()
		err := ch.PublishWithContext(t.Context(), rabbitmq.Exchange, key, false, false,
			amqp.Publishing{MessageId: id, CorrelationId: orderID, Body: []byte(id)})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("ORDER_NEEDS_ATTENTION", "m0", "a")
	publish(string(order.EventCancelled), "m1", "a")
	publish(string(order.EventConfirmed), "m2", "b")
	for id, want := range map[order.ID]message{
		"b": {Type: "ORDER_CONFIRMED", ID: "m2", Body: []byte("m2")}, // asked for in another sequence than they came
		"a": {Type: "ORDER_CANCELLED", ID: "m1", Body: []byte("m1")},
	} {
		got, err := ours.await(t.Context(), string(id))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the message about order %s (-want +got):\n%s", id, diff)
		}
	}
	for range 3 {
		if _, ok, err := ch.Get(theirs.Name, true); err != nil || !ok {
			t.Errorf("a message is missing from the queue of others: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := ours.await(ctx, "c"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a message that never came: %v", err)
	}
}
