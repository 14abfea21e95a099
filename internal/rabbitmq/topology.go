package rabbitmq

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Names that the broker's operators see.
const (
	Exchange           = "orders"          // topic; the routing key is the event's type
	DeadLetterExchange = "dlx"             // direct
	DeadLetterKey      = "failed"          // its only routing key
	DeadLetterQueue    = "failed_messages" // what nobody could handle, until somebody looks
)

// The queues of events. Each is bound under its own name, which is the type of the events that it holds. Publishers
// declare them as well as consumers, so that events are kept for a consumer that has never run.
const (
	QueueConfirmed      = "ORDER_CONFIRMED"
	QueueCancelled      = "ORDER_CANCELLED"
	QueueNeedsAttention = "ORDER_NEEDS_ATTENTION"
)

// deliveryLimit is how often the broker hands out a message that is never acknowledged, because its consumer dies of
// it or its connections break, before it dead-letters the message.
const deliveryLimit = 20

// Topology is what has to exist in the broker. Arguments of a queue cannot change once it exists; a change needs a new
// name. The names of retry tiers hold their delay for that reason: after a change the old tiers drain by themselves and
// can then be deleted.
type Topology struct {
	// Queues are declared and bound to the exchange under their own names.
	Queues []string
	// Tiers are the delays before the second, third, … attempt at a message, to the millisecond.
	Tiers []time.Duration
}

// DefaultTopology is what the programs use.
func DefaultTopology() Topology {
	return Topology{
		Queues: []string{QueueConfirmed, QueueCancelled, QueueNeedsAttention},
		Tiers:  []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute},
	}
}

func (t Topology) isZero() bool { return len(t.Queues) == 0 && len(t.Tiers) == 0 }

// Validate reports retry tiers that cannot be: a delay is from a millisecond to a day, in whole milliseconds, and no two
// are the same, because each is a queue of its own.
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

// TierName is the name of the exchange and of the queue in which messages wait for d, as in retry.30s.
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

// DifferentError says that something exists in the broker with other arguments than the topology needs. Repeating does
// not help; an operator has to act.
type DifferentError struct {
	Name  string // of the queue or exchange
	Cause error  // the broker's words: which argument, what it is and what it should be
}

func (e *DifferentError) Error() string {
	return fmt.Sprintf("%s exists in RabbitMQ with other arguments than this version needs: "+
		"drain and delete it, and it will be declared anew: %v", e.Name, e.Cause)
}

func (e *DifferentError) Unwrap() error { return e.Cause }

// declare makes sure that everything exists and is as it has to be. It may be called at any time, by several at once.
func (t Topology) declare(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel to declare the topology: %w", err)
	}
	for _, step := range t.steps() {
		if err := step.declare(ch); err != nil {
			return different(step.name, err)
		}
	}
	if err := ch.Close(); err != nil {
		return fmt.Errorf("close the channel that declared the topology: %w", err)
	}
	return nil
}

func different(name string, err error) error {
	var answer *amqp.Error
	if errors.As(err, &answer) && answer.Code == amqp.PreconditionFailed {
		return &DifferentError{Name: name, Cause: err}
	}
	return fmt.Errorf("declare %s: %w", name, err)
}

// step declares one exchange or queue with its binding.
type step struct {
	name    string
	declare func(*amqp.Channel) error
}

// steps come in the order of declaration: where messages go when something fails exists before what sends them there.
func (t Topology) steps() []step {
	steps := []step{
		exchange(DeadLetterExchange, amqp.ExchangeDirect),
		queue(DeadLetterQueue, DeadLetterExchange, DeadLetterKey, deadLetterArguments()),
		exchange(Exchange, amqp.ExchangeTopic),
	}
	for _, name := range t.Queues {
		steps = append(steps, queue(name, Exchange, name, eventArguments()))
	}
	for _, delay := range t.Tiers {
		name := TierName(delay)
		steps = append(steps, exchange(name, amqp.ExchangeFanout), queue(name, name, "", tierArguments(delay)))
	}
	return slices.Clip(steps)
}

func exchange(name, kind string) step {
	return step{name, func(ch *amqp.Channel) error { return ch.ExchangeDeclare(name, kind, true, false, false, false, nil) }}
}

func queue(name, from, key string, arguments amqp.Table) step {
	return step{name, func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
			return err
		}
		return ch.QueueBind(name, key, from, false, nil)
	}}
}

func eventArguments() amqp.Table {
	arguments := deadLettering(DeadLetterExchange)
	arguments["x-dead-letter-routing-key"] = DeadLetterKey
	arguments["x-delivery-limit"] = int32(deliveryLimit)
	return arguments
}

// tierArguments make a queue that nobody consumes: messages wait out their time and go back to the queue that they came
// from, which is named by their routing key (the nameless exchange routes by queue name).
func tierArguments(delay time.Duration) amqp.Table {
	arguments := deadLettering("")
	arguments["x-message-ttl"] = int32(delay.Milliseconds())
	return arguments
}

// deadLetterArguments lift the broker's own delivery limit: looking at a dead letter must never drop it.
func deadLetterArguments() amqp.Table {
	return amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, "x-delivery-limit": int32(-1)}
}

// deadLettering moves messages on with confirms between the queues. The broker does that only for queues which, when
// full, reject what is published instead of dropping what they hold.
func deadLettering(exchange string) amqp.Table {
	return amqp.Table{
		amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
		"x-dead-letter-exchange": exchange,
		"x-dead-letter-strategy": "at-least-once",
		amqp.QueueOverflowArg:    amqp.QueueOverflowRejectPublish,
	}
}
