package notifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// channel is a way to reach an audience.
type channel string

const (
	toLog     channel = "log"
	toMail    channel = "mail"
	toWebhook channel = "webhook"
)

// claimed is a delivery that a sender has claimed for an attempt.
type claimed struct {
	ID        int64
	Attempt   int // 1 for the first
	MessageID string
	Type      string
	Audience  string
	UserID    int64
	OrderID   order.ID
	CreatedAt time.Time
	Overtaken bool // a later event about the same thing is known: nothing is to be sent
	// Traceparent is the event's trace context; empty without one.
	Traceparent string
	// Secret signs a call of a customer's webhook. It is the one in the contacts now; empty if they no longer have the webhook.
	Secret string
	delivery
}

// claim takes the delivery that has been due longest, or returns nil if none is due. No other sender gets it before the
// lease expires, so a sender that crashes delays it by that much. Concurrent claims skip each other's rows. Every claim looks
// whether a later event has overtaken the notification.
func (s *store) claim(ctx context.Context, lease time.Duration) (*claimed, error) {
	rows, _ := s.pool.Query(ctx, `
		UPDATE outbox o SET attempts = attempts + 1, next_at = now() + $1
		FROM notifications n
		WHERE n.id = o.notification_id AND o.id = (
			SELECT id FROM outbox
			WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= now()
			ORDER BY next_at LIMIT 1
			FOR UPDATE SKIP LOCKED)
		RETURNING o.id, o.attempts, n.message_id, n.type, n.audience, n.user_id, n.order_id::text, o.created_at,
			EXISTS (SELECT FROM notifications later WHERE later.message_id = ANY (n.overtaken_by)),
			o.traceparent, coalesce((SELECT c.webhook_secret FROM contacts c
				WHERE n.audience = 'customer' AND c.user_id = n.user_id AND c.webhook_url = o.address), ''),
			o.channel, o.address, o.subject, o.body, o.html`, lease) // CollectExactlyOneRow returns its error
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[claimed])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("claim a delivery: %w", err)
	}
	return d, nil
}

// sent records that the receiver has taken the delivery.
func (s *store) sent(ctx context.Context, d *claimed) error {
	return s.settle(ctx, d, `sent_at = now(), last_error = ''`)
}

// again records a failed attempt and schedules the next one after the pause.
func (s *store) again(ctx context.Context, d *claimed, cause error, pause time.Duration) error {
	return s.settle(ctx, d, `last_error = $3, next_at = now() + $4`, cause.Error(), pause)
}

// giveUp records that no further attempt follows.
func (s *store) giveUp(ctx context.Context, d *claimed, cause error) error {
	return s.settle(ctx, d, `given_up_at = now(), last_error = $3`, cause.Error())
}

// settle updates the row, unless another attempt has begun meanwhile and will settle it.
func (s *store) settle(ctx context.Context, d *claimed, set string, args ...any) error {
	_, err := s.pool.Exec(ctx, `UPDATE outbox SET `+set+` WHERE id = $1 AND attempts = $2 AND sent_at IS NULL`,
		append([]any{d.ID, d.Attempt}, args...)...)
	if err != nil {
		return fmt.Errorf("record the outcome of delivery %d: %w", d.ID, err)
	}
	return nil
}
