package rabbitmq

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// failures moves messages that failed: to a retry tier, or to the dead letters.
type failures struct {
	publisher *Publisher
	tiers     []time.Duration
	log       *slog.Logger
}

// move publishes the message to its next retry tier, or to the dead letters when it is poison or no tier is left. It
// returns nil once the broker has confirmed that; the caller then acknowledges the original. If that acknowledgement is
// lost, two copies exist under one ID, and a handler acts on one.
//
// It tries until ctx is done, and at least once. A stop does not interrupt a publish that has begun, moveTimeout does.
func (f *failures) move(ctx context.Context, m Message, d amqp.Delivery, cause error) error {
	exchange, key, message := f.next(m, d, cause)
	for tries := 0; ; tries++ {
		err := f.publish(ctx, exchange, key, message)
		if err == nil {
			return nil
		}
		f.log.Error("a failed message could not be moved",
			"message_id", m.ID, "queue", m.Queue, "to", exchange, "error", err.Error())
		if err := sleep(ctx, backoff(tries, unavailableBackoff)); err != nil {
			return fmt.Errorf("move message %s to %s: %w", m.ID, exchange, err)
		}
	}
}

// moveTimeout bounds one try to move a message, and so how long it can delay a stop.
const moveTimeout = 5 * time.Second

func (f *failures) publish(ctx context.Context, exchange, key string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	return f.publisher.send(ctx, exchange, key, message)
}

// next returns where the message goes, and logs it.
func (f *failures) next(m Message, d amqp.Delivery, cause error) (exchange, key string, message amqp.Publishing) {
	log := f.log.With("message_id", m.ID, "queue", m.Queue, "order_id", m.CorrelationID, "attempt", m.Attempt,
		"error", cause.Error())
	if !isPoison(cause) && m.Attempt <= len(f.tiers) {
		delay := f.tiers[m.Attempt-1]
		log.Warn("message failed", "again_in", delay.String())
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
