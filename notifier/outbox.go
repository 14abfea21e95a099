package notifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is a way to tell somebody something.
type channel string

const (
	toLog     channel = "log"
	toMail    channel = "mail"
	toWebhook channel = "webhook"
)

// due is a delivery whose time has come.
type due struct {
	ID        int64
	Attempt   int // 1 for the first
	MessageID string
	Type      string
	Audience  string
	UserID    int64
	CreatedAt time.Time
	delivery
}

func enqueue(ctx context.Context, tx pgx.Tx, notificationID int64, deliveries []delivery) error {
	for _, d := range deliveries {
		_, err := tx.Exec(ctx,
			`INSERT INTO outbox (notification_id, channel, address, secret, subject, body, html)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			notificationID, d.Channel, d.Address, d.Secret, d.Subject, d.Body, d.HTML)
		if err != nil {
			return err
		}
	}
	return nil
}

// claim takes the delivery that is due the longest, or returns nil when none is. Nobody else gets it before the lease is
// over: whoever claims and crashes delays it by that much. Claims that are made at once pass each other by.
func (s *store) claim(ctx context.Context, lease time.Duration) (*due, error) {
	rows, err := s.pool.Query(ctx, `
		UPDATE outbox o SET attempts = attempts + 1, next_at = now() + $1
		FROM notifications n
		WHERE n.id = o.notification_id AND o.id = (
			SELECT id FROM outbox
			WHERE sent_at IS NULL AND given_up_at IS NULL AND next_at <= now()
			ORDER BY next_at LIMIT 1
			FOR UPDATE SKIP LOCKED)
		RETURNING o.id, o.attempts, n.message_id, n.type, n.audience, n.user_id, o.created_at,
			o.channel, o.address, o.secret, o.subject, o.body, o.html`, lease)
	if err != nil {
		return nil, fmt.Errorf("take a delivery from the outbox: %w", err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[due])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take a delivery from the outbox: %w", err)
	}
	return d, nil
}

// sent records that the delivery has arrived.
func (s *store) sent(ctx context.Context, d *due) error {
	return s.settle(ctx, d, `sent_at = now(), last_error = ''`)
}

// again records that the delivery failed and is tried again after the pause.
func (s *store) again(ctx context.Context, d *due, cause error, pause time.Duration) error {
	return s.settle(ctx, d, `last_error = $3, next_at = now() + $4`, cause.Error(), pause)
}

// giveUp records that the delivery is not tried any more.
func (s *store) giveUp(ctx context.Context, d *due, cause error) error {
	return s.settle(ctx, d, `given_up_at = now(), last_error = $3`, cause.Error())
}

// settle changes the row unless another attempt has begun meanwhile, whose business it then is.
func (s *store) settle(ctx context.Context, d *due, set string, args ...any) error {
	_, err := s.pool.Exec(ctx, `UPDATE outbox SET `+set+` WHERE id = $1 AND attempts = $2 AND sent_at IS NULL`,
		append([]any{d.ID, d.Attempt}, args...)...)
	if err != nil {
		return fmt.Errorf("record the outcome of delivery %d: %w", d.ID, err)
	}
	return nil
}
