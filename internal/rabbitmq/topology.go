package rabbitmq

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Names that the broker's operators see.
const (
	Exchange           = "orders"          // topic; the routing key is the event's type
	DeadLetterExchange = "dlx"             // direct
	DeadLetterKey      = "failed"          // its only routing key
	DeadLetterQueue    = "failed_messages" // messages that no consumer could handle, kept for operators
)

// The queues of events. Publishers declare them too, so that they keep events for a consumer that has never run.
const (
	QueueConfirmed      = "ORDER_CONFIRMED"
	QueueCancelled      = "ORDER_CANCELLED"
	QueueNeedsAttention = "ORDER_NEEDS_ATTENTION"
	QueueRefunds        = "ORDER_REFUNDS"   // a refund may have several events: one consumer sees all of them
	QueueShipments      = "ORDER_SHIPMENTS" // as may a shipment
)

// keysOf returns the types of the events in a queue: its own name, unless it holds several types.
func keysOf(queue string) []string {
	switch queue {
	case QueueRefunds:
		return []string{string(order.EventRefunded), string(order.EventRefundRefused), string(order.EventRefundFailed)}
	case QueueShipments:
		return []string{string(order.EventShipped), string(order.EventDelivered)}
	default:
		return []string{queue}
	}
}

// deliveryLimit is how many times the broker redelivers a message that is not acknowledged, because it kills its consumer
// or because connections break. Then the broker dead-letters it.
const deliveryLimit = 20

// Topology is what has to exist in the broker. The arguments of an existing queue cannot change, so a change needs a new
// name. That is why the names of retry tiers hold their delay: after a change the old tiers drain by themselves and can
// then be deleted.
type Topology struct {
	// Queues are declared and bound to the exchange under the types of their events.
	Queues []string
	// Tiers are the delays before the second, third, … attempt at a message, in whole milliseconds.
	Tiers []time.Duration
}

// DefaultTopology is the topology of all programs.
func DefaultTopology() Topology {
	return Topology{
		Queues: []string{QueueConfirmed, QueueCancelled, QueueNeedsAttention, QueueRefunds, QueueShipments},
		Tiers:  []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
	}
}

func (t Topology) isZero() bool { return len(t.Queues) == 0 && len(t.Tiers) == 0 }

// Validate rejects impossible retry tiers. A delay is a millisecond to a day, in whole milliseconds, and no two are equal,
// because each has its own queue.
func (t Topology) Validate() error {
	var problems []error
	for i, d := range t.Tiers {
		if d < time.Millisecond || d > maxTier || d%time.Millisecond != 0 {
			problems = append(problems, fmt.Errorf("a retry tier of %s: want whole milliseconds, at most %s", d, maxTier))
		}
		if slices.Contains(t.Tiers[:i], d) {
			problems = append(problems, fmt.Errorf("two retry tiers of %s", d))
		}
	}
	return errors.Join(problems...)
}

// maxTier is far below the longest time to live of a message (2³¹ ms).
const maxTier = 24 * time.Hour

// TierName returns the name of the exchange and the queue in which messages wait for d, for example retry.30s.
func TierName(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return "retry." + s
}

// DifferentError says that a queue or exchange exists with other arguments than the topology needs. Trying again does not
// help; an operator has to act.
type DifferentError struct {
	Name  string // of the queue or exchange
	Cause error  // the broker's: which argument, its value and the value needed
}

func (e *DifferentError) Error() string {
	return fmt.Sprintf("%s exists in RabbitMQ with other arguments than this version needs: "+
		"drain it and delete it, then it will be declared again: %v", e.Name, e.Cause)
}

func (e *DifferentError) Unwrap() error { return e.Cause }

// declare makes sure that everything exists with the right arguments. It may be called at any time, also concurrently.
func (t Topology) declare(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel to declare the topology: %w", err)
	}
	for _, d := range t.declarations() {
		if err := d.declare(ch); err != nil {
			return different(d.name, err)
		}
	}
	if err := ch.Close(); err != nil {
		return fmt.Errorf("close the channel that declared the topology: %w", err)
	}
	return nil
}

func different(name string, err error) error {
	var reply *amqp.Error
	if errors.As(err, &reply) && reply.Code == amqp.PreconditionFailed {
		return &DifferentError{Name: name, Cause: err}
	}
	return fmt.Errorf("declare %s: %w", name, err)
}

// declaration declares one exchange, or one queue with its binding.
type declaration struct {
	name    string
	declare func(*amqp.Channel) error
}

// declarations are in an order in which the place for failed messages exists before anything sends messages there.
func (t Topology) declarations() []declaration {
	all := []declaration{
		exchange(DeadLetterExchange, amqp.ExchangeDirect),
		queue(DeadLetterQueue, DeadLetterExchange, deadLetterArguments(), DeadLetterKey),
		exchange(Exchange, amqp.ExchangeTopic),
	}
	for _, name := range t.Queues {
		all = append(all, queue(name, Exchange, eventArguments(), keysOf(name)...))
	}
	for _, delay := range t.Tiers {
		name := TierName(delay)
		all = append(all, exchange(name, amqp.ExchangeFanout), queue(name, name, tierArguments(delay), ""))
	}
	return all
}

func exchange(name, kind string) declaration {
	return declaration{name, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(name, kind, true, false, false, false, nil)
	}}
}

func queue(name, from string, arguments amqp.Table, keys ...string) declaration {
	return declaration{name, func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			return err
		}
		for _, key := range keys {
			if err := ch.QueueBind(name, key, from, false, nil); err != nil {
				return err
			}
		}
		return nil
	}}
}

func eventArguments() amqp.Table {
	arguments := deadLettering(DeadLetterExchange)
	arguments["x-dead-letter-routing-key"] = DeadLetterKey
	arguments["x-delivery-limit"] = int32(deliveryLimit)
	return arguments
}

// tierArguments are for a queue without consumers. Messages wait there until their time to live is over and return to the
// queue that their routing key names (the nameless exchange routes by queue name).
func tierArguments(delay time.Duration) amqp.Table {
	arguments := deadLettering("")
	arguments["x-message-ttl"] = int32(delay.Milliseconds())
	return arguments
}

// deadLetterArguments lift the broker's own delivery limit: reading a dead letter must never drop it.
func deadLetterArguments() amqp.Table {
	return amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, "x-delivery-limit": int32(-1)}
}

// deadLettering makes the broker move messages to the exchange with confirms. It does so only for queues that, when full,
// reject new messages instead of dropping old ones.
func deadLettering(exchange string) amqp.Table {
	return amqp.Table{
		amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
		"x-dead-letter-exchange": exchange,
		"x-dead-letter-strategy": "at-least-once",
		amqp.QueueOverflowArg:    amqp.QueueOverflowRejectPublish,
	}
}
