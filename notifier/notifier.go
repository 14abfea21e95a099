package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

// Whom a notification is for.
const (
	forCustomer  = "customer"
	forOperators = "operators"
)

// notification is what a customer, or the operators, are told about one event.
type notification struct {
	MessageID string    `json:"messageId"` // of the event, and of every delivery of the notification
	OrderID   order.ID  `json:"orderId"`
	UserID    int64     `json:"userId"`
	Audience  string    `json:"audience" enum:"customer,operators"`
	Type      string    `json:"type"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"createdAt"`
}

// notifier turns events into notifications and puts into the outbox what is to be sent about them.
type notifier struct {
	store     *store
	mails     bool  // whether mail can be sent
	operators entry // where operators are told
	recorded  func()
	log       *slog.Logger
}

// handle records the notification for an event and its deliveries, once; when it returns nil, that is committed and the
// message can be acknowledged.
func (n *notifier) handle(ctx context.Context, m rabbitmq.Message) error {
	note, l, err := read(m)
	if err != nil {
		return err
	}
	note.MessageID, note.Text = m.ID, l.Short
	first, err := n.store.record(ctx, note, func(listed entry) []delivery {
		if note.Audience == forOperators {
			listed = n.operators
		}
		return n.deliveries(listed, l)
	})
	log := n.log.With("order_id", note.OrderID, "message_id", m.ID)
	switch {
	case err != nil:
		return err
	case first:
		log.Debug("recorded, to be sent")
		n.recorded()
	default:
		log.Info("seen before, dropped")
	}
	return nil
}

// read decides by the message's queue what it is about.
func read(m rabbitmq.Message) (notification, letter, error) {
	if m.Queue == rabbitmq.QueueNeedsAttention {
		a, err := rabbitmq.DecodeAttention(m)
		if err != nil {
			return notification{}, letter{}, err
		}
		l, err := operatorsLetter(a, m.Body)
		return notification{OrderID: a.OrderID, UserID: a.UserID, Audience: forOperators, Type: string(a.Type)}, l, unwritable(err)
	}
	e, err := rabbitmq.DecodeEvent(m)
	if err != nil {
		return notification{}, letter{}, err
	}
	l, err := customerLetter(e, m.Body)
	return notification{OrderID: e.OrderID, UserID: e.UserID, Audience: forCustomer, Type: string(e.Type)}, l, unwritable(err)
}

func unwritable(err error) error {
	if err == nil {
		return nil
	}
	return rabbitmq.Poison(fmt.Errorf("find words for it: %w", err))
}

// deliveries are the ways in which somebody is told: by mail and webhook as listed, otherwise by the log.
func (n *notifier) deliveries(listed entry, l letter) []delivery {
	var out []delivery
	if listed.Email != "" && n.mails {
		out = append(out, delivery{Channel: toMail, Address: listed.Email, Subject: l.Subject, Body: l.Text, HTML: l.HTML})
	}
	if listed.WebhookURL != "" {
		out = append(out, delivery{
			Channel: toWebhook, Address: listed.WebhookURL, Secret: listed.WebhookSecret, Subject: l.Subject, Body: l.Payload,
		})
	}
	if len(out) == 0 {
		out = append(out, delivery{Channel: toLog, Subject: l.Subject, Body: l.Short})
	}
	return out
}
