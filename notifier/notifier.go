package notifier

import (
	"context"
	"log/slog"
	"strings"
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

// alsoOperators ends the ID of what operators are told in addition to the customer.
const alsoOperators = "." + forOperators

// notification is what a customer, or the operators, are told about one event.
type notification struct {
	MessageID string    `json:"messageId" doc:"Of the event; with .operators for what operators are told in addition."`
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
	// overtakenBy are the message IDs of later events about the same thing. Once one of them is known, this one is not told
	// any more: after "the refund failed" nobody reads "you get a refund".
	overtakenBy []string
	trace       trace.SpanContext // of the message
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
	var notes []note
	for _, m := range batch {
		of, err := read(m)
		if err != nil {
			return err
		}
		notes = append(notes, of...)
	}
	recorded, err := n.store.record(ctx, notes, n.deliveries)
	if err != nil {
		return err
	}
	for _, note := range notes {
		log := n.log.With("orderId", note.OrderID, "messageId", note.MessageID).With(telemetry.SpanAttrs(note.trace)...)
		if !strings.HasSuffix(note.MessageID, alsoOperators) { // one event, one count
			n.counters.consumed(ctx, recorded[note.MessageID], 1)
		}
		if !recorded[note.MessageID] {
			log.Info("seen before or overtaken, dropped")
			continue
		}
		delete(recorded, note.MessageID) // a copy in the same batch is dropped
		log.Debug("recorded, to be sent")
		n.recorded()
	}
	return nil
}

// read decodes a message and writes its notifications. The queue says which kind of event it is. A message that cannot be
// read, and one that cannot be told, is poison.
func read(m rabbitmq.Message) (notes []note, err error) {
	switch m.Queue {
	case rabbitmq.QueueNeedsAttention:
		notes, err = readAlert(m)
	case rabbitmq.QueueRefunds:
		notes, err = readRefund(m)
	case rabbitmq.QueueShipments:
		notes, err = readShipment(m)
	default:
		notes, err = readFinished(m)
	}
	if err != nil {
		return nil, rabbitmq.Poison(err)
	}
	for i := range notes {
		notes[i].Text, notes[i].trace = notes[i].Short, m.Trace
	}
	return notes, nil
}

func readFinished(m rabbitmq.Message) ([]note, error) {
	e, err := rabbitmq.DecodeEvent(m)
	if err != nil {
		return nil, err
	}
	n := notification{MessageID: m.ID, OrderID: e.OrderID, UserID: e.UserID, Audience: forCustomer, Type: string(e.Type)}
	c, err := customerContent(e, m.Body)
	return []note{{notification: n, content: c}}, err
}

func readAlert(m rabbitmq.Message) ([]note, error) {
	a, err := rabbitmq.DecodeAlert(m)
	if err != nil {
		return nil, err
	}
	n := notification{MessageID: m.ID, OrderID: a.OrderID, UserID: a.UserID, Audience: forOperators, Type: string(a.Type)}
	c, err := alertContent(a, m.Body)
	return []note{{notification: n, content: c}}, err
}

// readRefund writes to the customer, and to the operators too if the customer got nothing.
func readRefund(m rabbitmq.Message) ([]note, error) {
	e, err := rabbitmq.DecodeRefund(m)
	if err != nil {
		return nil, err
	}
	n := notification{MessageID: m.ID, OrderID: e.OrderID, UserID: e.UserID, Audience: forCustomer, Type: string(e.Type)}
	var later []string // a refund's status only climbs: REFUSED, accepted, FAILED
	switch e.Type {
	case order.EventRefundRefused:
		later = messageIDs(e.RefundID, order.EventRefunded, order.EventRefundFailed)
	case order.EventRefunded:
		later = messageIDs(e.RefundID, order.EventRefundFailed)
	}
	c, err := refundContent(e, m.Body)
	if err != nil || e.Type == order.EventRefunded {
		return []note{{notification: n, content: c, overtakenBy: later}}, err
	}
	operators := n
	operators.MessageID, operators.Audience = m.ID+alsoOperators, forOperators
	o, err := refundAlertContent(e, m.Body)
	return []note{
		{notification: n, content: c, overtakenBy: later}, {notification: operators, content: o, overtakenBy: later},
	}, err
}

func readShipment(m rabbitmq.Message) ([]note, error) {
	e, err := rabbitmq.DecodeShipment(m)
	if err != nil {
		return nil, err
	}
	n := notification{MessageID: m.ID, OrderID: e.OrderID, UserID: e.UserID, Audience: forCustomer, Type: string(e.Type)}
	var later []string
	if e.Type == order.EventShipped {
		later = messageIDs(e.ShipmentID, order.EventDelivered)
	}
	c, err := shipmentContent(e, m.Body)
	return []note{{notification: n, content: c, overtakenBy: later}}, err
}

// messageIDs are the IDs of the messages about a refund or a shipment.
func messageIDs[ID order.RefundID | order.ShipmentID](id ID, types ...order.EventType) []string {
	ids := make([]string, len(types))
	for i, t := range types {
		ids[i] = string(id) + "." + string(t)
	}
	return ids
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
		out = append(out, delivery{Channel: toWebhook, Address: to.WebhookURL, Subject: note.Subject, Body: note.Payload})
	}
	if len(out) == 0 {
		out = append(out, delivery{Channel: toLog, Subject: note.Subject, Body: note.Short})
	}
	return out
}
