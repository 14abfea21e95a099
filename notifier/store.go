package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ordersaga/internal/order"
	"ordersaga/internal/rabbitmq"
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

// record stores the notification unless its message was seen before, and reports whether this was the first time. The
// inbox row and the notification are one transaction: two copies of a message that are handled at once wait for each
// other at the inbox's primary key.
//
// While the database cannot be reached or takes no writes the error is rabbitmq.Unavailable.
func (s *store) record(ctx context.Context, n notification) (first bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx,
			`INSERT INTO inbox (consumer, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, consumerName, n.MessageID)
		if err != nil {
			return err
		}
		if first = tag.RowsAffected() == 1; !first {
			return nil
		}
		_, err = tx.Exec(ctx,
			`INSERT INTO notifications (message_id, order_id, user_id, type, text) VALUES ($1, $2, $3, $4, $5)`,
			n.MessageID, n.OrderID, n.UserID, n.Type, n.Text)
		return err
	})
	if err != nil {
		return false, classify(fmt.Errorf("record the notification %s: %w", n.MessageID, err))
	}
	return first, nil
}

// classify tells a database that is down from one that does not like this row.
func classify(err error) error {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return rabbitmq.Unavailable(err) // it did not answer at all, or not in time
	}
	switch class := answer.Code[:min(2, len(answer.Code))]; class {
	case "08", "28", "53", "57", "58", "25", "40", "55": // connection, login, resources, shutdown, I/O, read-only, conflict, lock
		return rabbitmq.Unavailable(err)
	}
	return err
}

// maxListed bounds an answer. An order has one final event, or a few of operators.
const maxListed = 100

// ofOrder returns the order's notifications, oldest first.
func (s *store) ofOrder(ctx context.Context, id order.ID) ([]notification, error) {
	rows, err := s.pool.Query(ctx,
		`SELECT message_id, order_id::text, user_id, type, text, created_at
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
