package rabbitmq

import (
	"context"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// move publishes the message to its next retry tier, or to the dead letters when it is poison or no tier is left. It
// returns nil once the broker has confirmed that; the caller then acknowledges the original. If that acknowledgement is
// lost, two copies exist under one ID, and a handler acts on one.
//
// It tries until ctx is done, and at least once. A stop does not interrupt a publish that has begun, moveTimeout does.
func (c *Consumer) move(ctx context.Context, m Message, d amqp.Delivery, cause error) error {
	exchange, key, message := c.next(m, d, cause)
	for tries := 0; ; tries++ {
		err := c.republish(ctx, exchange, key, message)
		if err == nil {
			return nil
		}
		c.log.Error("a failed message could not be moved",
			"messageId", m.ID, "queue", m.Queue, "to", exchange, "error", err.Error())
		if err := sleep(ctx, backoff(tries, unavailableBackoff)); err != nil {
			return fmt.Errorf("move message %s to %s: %w", m.ID, exchange, err)
		}
	}
}

// moveTimeout bounds one try to move a message, and so how long it can delay a stop.
const moveTimeout = 5 * time.Second

func (c *Consumer) republish(ctx context.Context, exchange, key string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	return c.publisher.send(ctx, exchange, key, message)
}

// next returns where the message goes, and logs it.
func (c *Consumer) next(m Message, d amqp.Delivery, cause error) (exchange, key string, message amqp.Publishing) {
	log := c.log.With("messageId", m.ID, "queue", m.Queue, "orderId", m.CorrelationID, "attempt", m.Attempt,
		"error", cause.Error())
	if m.Trace.HasTraceID() {
		log = log.With("trace_id", m.Trace.TraceID().String())
	}
	if !isPoison(cause) && m.Attempt <= len(c.config.Topology.Tiers) {
		delay := c.config.Topology.Tiers[m.Attempt-1]
		log.Warn("message failed", "againIn", delay.String())
		headers := amqp.Table{HeaderAttempt: int32(m.Attempt + 1), HeaderReason: headerText(cause)}
		return TierName(delay), m.Queue, again(d, headers)
	}
	log.Error("message dead-lettered", "poison", isPoison(cause), "to", DeadLetterQueue)
	return DeadLetterExchange, DeadLetterKey, again(d, amqp.Table{
		HeaderAttempt: int32(m.Attempt), HeaderReason: headerText(cause), HeaderQueue: m.Queue, HeaderFailed: time.Now().UTC(),
	})
}

// maxHeaderText keeps headers readable, in bytes. All headers of a message have to fit into one frame.
const maxHeaderText = 500

// headerText shortens an error for a header.
func headerText(err error) string {
	s := strings.ToValidUTF8(err.Error(), "�")
	if len(s) <= maxHeaderText {
		return s
	}
	return strings.ToValidUTF8(s[:maxHeaderText], "") + "…" // without half a character
}
