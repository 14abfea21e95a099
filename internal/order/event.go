package order

import (
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// EventType names what happened to an order. It is the routing key of the event's message.
type EventType string

// The events. ORDER_CANCELLED announces FAILED and CANCELLED orders alike, with the reason.
const (
	EventConfirmed EventType = "ORDER_CONFIRMED"
	EventCancelled EventType = "ORDER_CANCELLED"
)

// EventVersion is the version of Event's JSON. Consumers refuse versions that they do not know.
const EventVersion = 1

// Event is the body of a message about a finished order. It is complete, so that consumers need not call the API.
type Event struct {
	Version    int         `json:"version"`
	Type       EventType   `json:"type"`
	OrderID    ID          `json:"orderId"`
	UserID     int64       `json:"userId"`
	Status     Status      `json:"status"`
	Reason     Reason      `json:"reason,omitempty"`
	Message    string      `json:"message,omitempty"` // the reason, in words for the customer
	Items      []Line      `json:"items"`
	Total      money.Money `json:"total,omitzero"` // absent when the order was never priced
	OccurredAt time.Time   `json:"occurredAt"`     // when the order reached its status
}

// NewEvent returns the event that announces the end of o, which must be final. The same order always gives the same
// event, so publishing it again is harmless.
func NewEvent(o Order) Event {
	e := Event{
		Version: EventVersion, Type: EventCancelled,
		OrderID: o.ID, UserID: o.UserID, Status: o.Status,
		Items: o.Items, Total: o.Total, OccurredAt: o.UpdatedAt,
	}
	if o.Status == Confirmed {
		e.Type = EventConfirmed
	}
	if o.Cause != nil {
		e.Reason, e.Message = o.Cause.Reason, o.Cause.Message
	}
	return e
}

// MessageID identifies the event: publishers that are unsure publish again under it, consumers drop what they have
// already seen.
func (e Event) MessageID() string { return string(e.OrderID) + "." + string(e.Type) }
