package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// message is a message about an order.
type message struct {
	Type string // also its routing key
	ID   string // consumers drop a repeated ID
	Body []byte
}

// listener receives a copy of every order event through a queue of its own, which the broker deletes when we disconnect. It is
// for one goroutine.
type listener struct {
	conn       *amqp.Connection
	deliveries <-chan amqp.Delivery
	seen       map[string]message // by order ID
}

// listen must be called before the orders are placed. Errors do not show the password.
func listen(ctx context.Context, url string) (*listener, error) {
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return nil, errors.New("RABBITMQ_URL cannot be parsed: want amqp://user:password@host:port/vhost")
	}
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: 5 * time.Second,
		Dial: func(network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: 5 * time.Second}
			return d.DialContext(ctx, network, address)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("no response from RabbitMQ at %s: %w", net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), err)
	}
	deliveries, err := subscribe(conn)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("listen to the order events: %w", err)
	}
	return &listener{conn: conn, deliveries: deliveries, seen: map[string]message{}}, nil
}

func subscribe(conn *amqp.Connection) (<-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil) // the broker names it, and deletes it when we disconnect
	if err != nil {
		return nil, err
	}
	if err := ch.QueueBind(q.Name, "#", rabbitmq.Exchange, false, nil); err != nil {
		return nil, err
	}
	return ch.Consume(q.Name, "demo", true, true, false, false, nil)
}

// Close ends the connection, and with it the queue.
func (l *listener) Close() { _ = l.conn.Close() }

func (l *listener) await(ctx context.Context, id string) (message, error) {
	for {
		if m, ok := l.seen[id]; ok {
			return m, nil
		}
		select {
		case <-ctx.Done():
			return message{}, fmt.Errorf("RabbitMQ delivered no message about order %s: %w", id, ctx.Err())
		case d, ok := <-l.deliveries:
			if !ok {
				return message{}, errors.New("the connection to RabbitMQ was lost")
			}
			if d.RoutingKey == string(order.EventConfirmed) || d.RoutingKey == string(order.EventCancelled) {
				l.seen[d.CorrelationId] = message{Type: d.RoutingKey, ID: d.MessageId, Body: d.Body}
			}
		}
	}
}
