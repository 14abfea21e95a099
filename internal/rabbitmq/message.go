package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message is what a consumer receives.
type Message struct {
	ID            string // the same for every copy of the message: what has been done under it need not be done again
	Type          string
	CorrelationID string
	Timestamp     time.Time
	Queue         string // that it was consumed from
	Attempt       int    // 1 for the first; grows by one in each retry tier
	Body          []byte
}

// Handler does what a message asks for. It is called again with the same message when it fails, and also when it
// succeeded but the acknowledgement was lost, so it commits its effect together with the message's ID. The error
// decides what happens next: see Poison and Unavailable. ctx ends after the consumer's HandlerTimeout.
type Handler func(ctx context.Context, m Message) error

// Poison marks the error of a message that will never work: undecodable, of an unknown version. It is dead-lettered at
// once.
func Poison(err error) error { return &kind{poison: true, error: err} }

// Unavailable marks the error of a message that would work if something that every message needs were not down, as the
// handler's own database. The message waits in hand, and uses up no attempt.
func Unavailable(err error) error { return &kind{error: err} }

type kind struct {
	poison bool
	error
}

func (k *kind) Unwrap() error { return k.error }

func isPoison(err error) bool {
	var k *kind
	return errors.As(err, &k) && k.poison
}

func isUnavailable(err error) bool {
	var k *kind
	return errors.As(err, &k) && !k.poison
}

// Headers of messages that failed. Names with x- belong to the broker.
const (
	HeaderAttempt = "attempt"  // which attempt this will be
	HeaderReason  = "reason"   // why the last one failed
	HeaderQueue   = "queue"    // that a dead letter comes from
	HeaderFailed  = "failedAt" // when it was given up
)

func newMessage(queue string, d amqp.Delivery) Message {
	return Message{
		ID: d.MessageId, Type: d.Type, CorrelationID: d.CorrelationId, Timestamp: d.Timestamp,
		Queue: queue, Attempt: attempt(d.Headers), Body: d.Body,
	}
}

// attempt reads the header in whichever width the broker or a tool has written it.
func attempt(headers amqp.Table) int {
	n := 1
	switch v := headers[HeaderAttempt].(type) {
	case int16:
		n = int(v)
	case int32:
		n = int(v)
	case int64:
		n = int(v)
	}
	return max(n, 1)
}

// again makes a message to publish of a delivered one: everything but what the broker has added, with more headers.
func again(d amqp.Delivery, more amqp.Table) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, "x-") {
			headers[name] = value
		}
	}
	for name, value := range more {
		headers[name] = value
	}
	return amqp.Publishing{
		Headers: headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: amqp.Persistent, MessageId: d.MessageId, CorrelationId: d.CorrelationId,
		Type: d.Type, Timestamp: d.Timestamp, AppId: d.AppId, Body: d.Body,
	}
}
