package rabbitmq

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
)

// Message is what a consumer receives.
type Message struct {
	ID            string // the same for every copy of the message, so a handler can tell what it has already done
	Type          string
	CorrelationID string
	Timestamp     time.Time
	Queue         string            // from which it was consumed
	Attempt       int               // 1 for the first; each retry tier adds one
	Trace         trace.SpanContext // of the publisher
	Body          []byte
}

// Handler acts on the messages of one queue, at least one, in the order of delivery.
//
// It acts on all of them or on none: nil means that the effects of all are committed, an error that none is. A batch that
// fails is split, and the handler called again with one message at a time; the error of a single message decides its
// fate: see Poison and Unavailable. The handler is also called again after a success whose acknowledgement was lost. It
// therefore commits the messages' IDs together with the effects, and ignores those that it knows; a batch may hold an ID
// twice. ctx ends after 15 s.
type Handler func(ctx context.Context, batch []Message) error

// Poison marks the error of a message that will never work: undecodable, or of an unknown version. The consumer
// dead-letters it at once.
func Poison(err error) error { return &kind{poison: true, error: err} }

// Unavailable marks an error that every message would meet, for example because the handler's own database is down. The
// consumer keeps the messages in hand and tries again; that uses up no attempt.
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

// Headers of messages that failed. Names that begin with x- belong to the broker.
const (
	HeaderAttempt = "attempt"  // which attempt this will be
	HeaderReason  = "reason"   // why the last attempt failed
	HeaderQueue   = "queue"    // from which a dead letter comes
	HeaderFailed  = "failedAt" // when the message was dead-lettered
)

func newMessage(queue string, d amqp.Delivery) Message {
	return Message{
		ID: d.MessageId, Type: d.Type, CorrelationID: d.CorrelationId, Timestamp: d.Timestamp,
		Queue: queue, Attempt: attempt(d.Headers), Trace: traceOf(d.Headers), Body: d.Body,
	}
}

// attempt reads the header in any width in which the broker or a tool may have written it.
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

// again copies a delivered message for publishing: everything but what the broker has added, plus more headers.
func again(d amqp.Delivery, more amqp.Table) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, "x-") {
			headers[name] = value
		}
	}
	maps.Copy(headers, more)
	return amqp.Publishing{
		Headers: headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: amqp.Persistent, MessageId: d.MessageId, CorrelationId: d.CorrelationId,
		Type: d.Type, Timestamp: d.Timestamp, AppId: d.AppId, Body: d.Body,
	}
}
