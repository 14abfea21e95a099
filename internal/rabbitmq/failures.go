package rabbitmq

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// failures moves messages that failed to where they wait or rest.
type failures struct {
	publisher *Publisher
	tiers     []time.Duration
	log       *slog.Logger
}

// move publishes the message to the next retry tier, or to the dead letters when it is poison or no tier is left, and
// returns nil once the broker has confirmed that. The caller then acknowledges the original. When the acknowledgement
// is lost there are two copies under one ID, of which a handler acts on one.
//
// It tries until ctx is done, and at least once: a stop is no reason to leave a copy on its way, moveTimeout is.
func (f *failures) move(ctx context.Context, m Message, d amqp.Delivery, cause error) error {
	exchange, key, message := f.next(m, d, cause)
	for tries := 0; ; tries++ {
		err := f.publish(ctx, exchange, key, message)
		if err == nil {
			return nil
		}
		f.log.Error("a failed message could not be moved on", "message_id", m.ID, "queue", m.Queue, "to", exchange, "error", err.Error())
		if err := sleep(ctx, backoff(tries, unavailableBackoff)); err != nil {
			return fmt.Errorf("move message %s to %s: %w", m.ID, exchange, err)
		}
	}
}

// moveTimeout bounds one try to move a message, and so how long it can hold up a stop.
const moveTimeout = 5 * time.Second

func (f *failures) publish(ctx context.Context, exchange, key string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), moveTimeout)
	defer cancel()
	return f.publisher.send(ctx, exchange, key, message)
}

// next says where the message goes, and logs it.
func (f *failures) next(m Message, d amqp.Delivery, cause error) (exchange, key string, message amqp.Publishing) {
	log := f.log.With("message_id", m.ID, "queue", m.Queue, "order_id", m.CorrelationID, "attempt", m.Attempt, "error", cause.Error())
	if !isPoison(cause) && m.Attempt <= len(f.tiers) {
		delay := f.tiers[m.Attempt-1]
		log.Warn("message failed", "again_in", delay.String())
		headers := amqp.Table{HeaderAttempt: int32(m.Attempt + 1), HeaderReason: headerText(cause)}
		return TierName(delay), m.Queue, again(d, headers)
	}
	log.Error("message given up", "poison", isPoison(cause), "to", DeadLetterQueue)
	return DeadLetterExchange, DeadLetterKey, again(d, amqp.Table{
		HeaderAttempt: int32(m.Attempt), HeaderReason: headerText(cause), HeaderQueue: m.Queue, HeaderFailed: time.Now().UTC(),
	})
}

// maxHeaderText keeps headers readable; all headers of a message have to fit into one frame.
const maxHeaderText = 500

// headerText shortens an error for a header.
func headerText(err error) string {
	s := strings.ToValidUTF8(err.Error(), "�")
	if len(s) <= maxHeaderText {
		return s
	}
	s = s[:maxHeaderText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
