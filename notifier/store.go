package notifier

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

//go:embed migrations/*.sql
var migrations embed.FS

// store keeps the notifications and the outbox.
type store struct{ pool *pgxpool.Pool }

// contact is where a user wants to be told; the zero value means by the log.
type contact struct{ Email, WebhookURL, WebhookSecret string }

// delivery is what is sent to one address about a notification.
type delivery struct {
	Channel channel `json:"channel"`
	Address string  `json:"address"` // e-mail address or URL; empty for the log
	Subject string  `json:"subject"`
	Body    string  `json:"body"`
	HTML    string  `json:"html"`
}

// record stores the notifications and their deliveries, except for messages that it has seen before or that later ones have
// overtaken, and returns the IDs of those that were new. deliveries returns what to send about a note to a user with that contact.
//
// All of it is one statement and so one transaction: all notes are recorded or none. Two transactions with copies of a
// message wait for each other at the unique message ID. Both insert in the order of the IDs, so they cannot deadlock. Of two
// transactions that run at the same time, neither sees that the other's notification overtakes its own: claim does.
//
// While the database is out of reach or takes no writes, the error is rabbitmq.Unavailable. If the database will never
// take one of the notes, it is rabbitmq.Poison.
func (s *store) record(
	ctx context.Context, notes []note, deliveries func(note, contact) []delivery,
) (recorded map[string]bool, err error) {
	notes = slices.SortedFunc(slices.Values(notes), func(a, b note) int { return strings.Compare(a.MessageID, b.MessageID) })
	notes = slices.CompactFunc(notes, func(a, b note) bool { return a.MessageID == b.MessageID })
	notes = withoutOvertaken(notes)
	contacts, err := s.contactsOf(ctx, notes)
	if err != nil {
		return nil, classify(fmt.Errorf("read the contacts of %d users: %w", len(notes), err))
	}
	type outboxRow struct {
		MessageID   string `json:"messageId"`
		Traceparent string `json:"traceparent"`
		delivery
	}
	type notificationRow struct {
		notification
		OvertakenBy []string `json:"overtakenBy"`
	}
	outbox := []outboxRow{}
	notifications := make([]notificationRow, len(notes))
	for i, n := range notes {
		notifications[i] = notificationRow{n.notification, n.overtakenBy}
		for _, d := range deliveries(n, contacts[n.UserID]) {
			outbox = append(outbox, outboxRow{n.MessageID, traceparent(n.trace), d})
		}
	}
	ids, err := pgdb.Collect(ctx, s.pool, pgx.RowTo[string], `
		WITH recorded AS (
			INSERT INTO notifications (message_id, order_id, user_id, audience, type, text, overtaken_by)
			SELECT "messageId", "orderId", "userId", audience, type, text, coalesce("overtakenBy", '{}')
			FROM jsonb_to_recordset($1::jsonb) AS n("messageId" text, "orderId" uuid, "userId" bigint, audience text, type text,
				text text, "overtakenBy" text[])
			WHERE NOT EXISTS (SELECT FROM notifications later WHERE later.message_id = ANY ("overtakenBy"))
			ORDER BY "messageId"
			ON CONFLICT (message_id) DO NOTHING
			RETURNING id, message_id
		), queued AS (
			INSERT INTO outbox (notification_id, channel, address, subject, body, html, traceparent)
			SELECT r.id, channel, address, subject, body, html, traceparent
			FROM jsonb_to_recordset($2::jsonb) AS d(
				"messageId" text, channel text, address text, subject text, body text, html text, traceparent text)
			JOIN recorded r ON r.message_id = d."messageId"
		)
		SELECT message_id FROM recorded`, pgdb.JSON(notifications), pgdb.JSON(outbox))
	if err != nil {
		return nil, classify(fmt.Errorf("record %d notifications: %w", len(notes), err))
	}
	recorded = map[string]bool{}
	for _, id := range ids {
		recorded[id] = true
	}
	return recorded, nil
}

// withoutOvertaken leaves out the notes that others among them overtake. notes are in the order of their message IDs.
func withoutOvertaken(notes []note) []note {
	return slices.DeleteFunc(slices.Clone(notes), func(n note) bool {
		return slices.ContainsFunc(n.overtakenBy, func(later string) bool {
			_, found := slices.BinarySearchFunc(notes, later, func(n note, id string) int { return strings.Compare(n.MessageID, id) })
			return found
		})
	})
}

// contactsOf returns where the users want to be told, by user ID.
func (s *store) contactsOf(ctx context.Context, notes []note) (map[int64]contact, error) {
	users := make([]int64, len(notes))
	for i, n := range notes {
		users[i] = n.UserID
	}
	rows, _ := s.pool.Query(ctx, `
		SELECT user_id, coalesce(email, ''), coalesce(webhook_url, ''), coalesce(webhook_secret, '')
		FROM contacts WHERE user_id = ANY($1)`, users) // ForEachRow returns its error
	contacts := map[int64]contact{}
	var id int64
	var c contact
	_, err := pgx.ForEachRow(rows, []any{&id, &c.Email, &c.WebhookURL, &c.WebhookSecret}, func() error {
		contacts[id] = c
		return nil
	})
	return contacts, err
}

// classify distinguishes a row that the database will never take from a database that is down or out of order. Any other
// error of the database, for example a missing table or a full disk, concerns every row, so the messages wait until it is
// repaired.
func classify(err error) error {
	var reply *pgconn.PgError
	if errors.As(err, &reply) {
		switch reply.Code[:min(2, len(reply.Code))] {
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

// notReached reports whether an error is about the connection to the database, or a timeout.
func notReached(err error) bool {
	var network net.Error
	return pgconn.SafeToRetry(err) || pgconn.Timeout(err) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// maxListed bounds a list. An order has one final event, and perhaps a few alerts, refunds and shipments.
const maxListed = 100

// ofOrder returns the order's notifications, oldest first.
func (s *store) ofOrder(ctx context.Context, id order.ID) ([]notification, error) {
	notes, err := pgdb.Collect(ctx, s.pool, pgx.RowToStructByPos[notification],
		`SELECT message_id, order_id::text, user_id, audience, type, text, created_at
		FROM notifications WHERE order_id = $1 ORDER BY id LIMIT $2`, id, maxListed)
	if err != nil {
		return nil, fmt.Errorf("read the notifications of order %s: %w", id, err)
	}
	for i := range notes {
		notes[i].CreatedAt = notes[i].CreatedAt.UTC()
	}
	return notes, nil
}
