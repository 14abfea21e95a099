package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ordersaga/internal/order"
	"ordersaga/internal/rabbitmq"
)

// notification is what one customer was told about one event.
type notification struct {
	MessageID string    `json:"messageId"` // of the event, and of every delivery of the notification
	OrderID   order.ID  `json:"orderId"`
	UserID    int64     `json:"userId"`
	Type      string    `json:"type"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
}

// notifier turns events into notifications.
type notifier struct {
	store *store
	log   *slog.Logger
}

// handle records the notification for an event, once; when it returns nil, that is committed and the message can be
// acknowledged. The customer is told by a line in the log, which a crash right after the commit can swallow: whoever
// sends mail instead sends it from the table.
func (n *notifier) handle(ctx context.Context, m rabbitmq.Message) error {
	e, err := rabbitmq.DecodeEvent(m)
	if err != nil {
		return err
	}
	text, err := customerText(e)
	if err != nil {
		return rabbitmq.Poison(fmt.Errorf("write to the customer: %w", err))
	}
	note := notification{MessageID: m.ID, OrderID: e.OrderID, UserID: e.UserID, Type: string(e.Type), Text: text}
	log := n.log.With("order_id", e.OrderID, "message_id", m.ID)
	first, err := n.store.record(ctx, note)
	switch {
	case err != nil:
		return err
	case first:
		log.Info("customer notified", "user_id", note.UserID, "type", note.Type, "text", note.Text)
	default:
		log.Info("seen before, dropped")
	}
	return nil
}
