package notifier

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are the goose files of the notifier's schema.
func migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	return sub
}

// consumerName tells this consumer's rows in the inbox from those of others that may come to share the database.
const consumerName = "notifier"

// store keeps the notifications.
type store struct{ pool *pgxpool.Pool }

// entry is a user's row in the directory; the zero value is a user who is not listed.
type entry struct{ Email, WebhookURL, WebhookSecret string }

// delivery is what is sent to one address about a notification.
type delivery struct {
	Channel channel
	Address string // e-mail address or URL; empty for the log
	Secret  string // that a webhook is signed with
	Subject string
	Body    string
	HTML    string
}

// record stores the notification and what is to be sent about it, unless its message was seen before, and reports
// whether this was the first time. deliveries says what to send, by the user's entry in the directory. Inbox row,
// notification and deliveries are one transaction: two copies of a message that are handled at once wait for each other
// at the inbox's primary key.
//
// While the database cannot be reached or takes no writes the error is rabbitmq.Unavailable; a notification that it will
// never take is rabbitmq.Poison.
func (s *store) record(ctx context.Context, n notification, deliveries func(entry) []delivery) (first bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx,
			`INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, consumerName, n.MessageID)
		if err != nil {
			return err
		}
		if first = tag.RowsAffected() == 1; !first {
			return nil
		}
		var id int64
		err = tx.QueryRow(ctx,
			`INSERT INTO notifications (message_id, order_id, user_id, audience, type, text)
			VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			n.MessageID, n.OrderID, n.UserID, n.Audience, n.Type, n.Text).Scan(&id)
		if err != nil {
			return err
		}
		listed, err := directoryEntry(ctx, tx, n.UserID)
		if err != nil {
			return err
		}
		return enqueue(ctx, tx, id, deliveries(listed))
	})
	if err != nil {
		return false, classify(fmt.Errorf("record the notification %s: %w", n.MessageID, err))
	}
	return first, nil
}

// directoryEntry returns where the user is told.
func directoryEntry(ctx context.Context, tx pgx.Tx, userID int64) (entry, error) {
	var e entry
	err := tx.QueryRow(ctx,
		`SELECT coalesce(email, ''), coalesce(webhook_url, ''), coalesce(webhook_secret, '') FROM directory WHERE user_id = $1`,
		userID).Scan(&e.Email, &e.WebhookURL, &e.WebhookSecret)
	if errors.Is(err, pgx.ErrNoRows) {
		return entry{}, nil
	}
	return e, err
}

// classify tells a row that the database will never take from a database that is down or not itself. Whatever else the
// database answers, such as a missing table or a full disk, is about every row, so the messages wait until it is mended.
func classify(err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		switch answer.Code[:min(2, len(answer.Code))] {
		case "22", "23", "54": // data exception, constraint violated, limit exceeded
			return rabbitmq.Poison(err)
		}
		return rabbitmq.Unavailable(err)
	}
	if notReached(err) {
		return rabbitmq.Unavailable(err)
	}
	return err
}

// notReached reports whether an error is about the connection to the database, or about time.
func notReached(err error) bool {
	var network net.Error
	return pgconn.SafeToRetry(err) || pgconn.Timeout(err) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// maxListed bounds an answer. An order has one final event, or a few of operators.
const maxListed = 100

// ofOrder returns the order's notifications, oldest first.
func (s *store) ofOrder(ctx context.Context, id order.ID) ([]notification, error) {
	rows, err := s.pool.Query(ctx,
		`SELECT message_id, order_id::text, user_id, audience, type, text, created_at
		FROM notifications WHERE order_id = $1 ORDER BY id LIMIT $2`, id, maxListed)
	if err != nil {
		return nil, fmt.Errorf("read the notifications of order %s: %w", id, err)
	}
	notes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[notification])
	if err != nil {
		return nil, fmt.Errorf("read the notifications of order %s: %w", id, err)
	}
	for i := range notes {
		notes[i].CreatedAt = notes[i].CreatedAt.UTC()
	}
	return notes, nil
}
