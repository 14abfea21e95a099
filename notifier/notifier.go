package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// The audiences of notifications.
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

// note is a notification with its content, before it is recorded.
type note struct {
	notification
	content
	trace trace.SpanContext // of the message
}

// notifier turns events into notifications, and puts into the outbox what is to be sent about them.
type notifier struct {
	store     *store
	mails     bool    // whether mail can be sent
	operators contact // where operators are told
	recorded  func()  // called for each new notification
	counters  counters
	log       *slog.Logger
}

// handle records the notifications for a batch of events with their deliveries, each once. When it returns nil, all of
// them are committed and the messages can be acknowledged; otherwise none is.
func (n *notifier) handle(ctx context.Context, batch []rabbitmq.Message) error {
	notes := make([]note, len(batch))
	for i, m := range batch {
		var err error
		if notes[i], err = read(m); err != nil {
			return err
		}
	}
	recorded, err := n.store.record(ctx, notes, n.deliveries)
	if err != nil {
		return err
	}
	for _, note := range notes {
		log := n.log.With("orderId", note.OrderID, "messageId", note.MessageID).With(telemetry.SpanAttrs(note.trace)...)
		n.counters.consumed(ctx, recorded[note.MessageID], 1)
		if !recorded[note.MessageID] {
			log.Info("seen before, dropped")
			continue
		}
		delete(recorded, note.MessageID) // a copy in the same batch is dropped
		log.Debug("recorded, to be sent")
		n.recorded()
	}
	return nil
}

// read decodes a message and writes its notification. The queue says which kind of event it is.
func read(m rabbitmq.Message) (note, error) {
	if m.Queue == rabbitmq.QueueNeedsAttention {
		a, err := rabbitmq.DecodeAlert(m)
		if err != nil {
			return note{}, err
		}
		c, err := alertContent(a, m.Body)
		n := notification{OrderID: a.OrderID, UserID: a.UserID, Audience: forOperators, Type: string(a.Type)}
		return newNote(m, n, c, err)
	}
	e, err := rabbitmq.DecodeEvent(m)
	if err != nil {
		return note{}, err
	}
	c, err := customerContent(e, m.Body)
	n := notification{OrderID: e.OrderID, UserID: e.UserID, Audience: forCustomer, Type: string(e.Type)}
	return newNote(m, n, c, err)
}

func newNote(m rabbitmq.Message, n notification, c content, err error) (note, error) {
	if err != nil {
		return note{}, rabbitmq.Poison(fmt.Errorf("write the notification: %w", err))
	}
	n.MessageID, n.Text = m.ID, c.Short
	return note{n, c, m.Trace}, nil
}

// deliveries returns what to send: a mail and a webhook if there are addresses, otherwise a line in the log.
func (n *notifier) deliveries(note note, to contact) []delivery {
	if note.Audience == forOperators {
		to = n.operators
	}
	var out []delivery
	if to.Email != "" && n.mails {
		out = append(out, delivery{Channel: toMail, Address: to.Email, Subject: note.Subject, Body: note.Plain, HTML: note.HTML})
	}
	if to.WebhookURL != "" {
		out = append(out, delivery{
			Channel: toWebhook, Address: to.WebhookURL, Secret: to.WebhookSecret, Subject: note.Subject, Body: note.Payload,
		})
	}
	if len(out) == 0 {
		out = append(out, delivery{Channel: toLog, Subject: note.Subject, Body: note.Short})
	}
	return out
}
