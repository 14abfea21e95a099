package order

import (
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// The events about what happens to a confirmed order.
const (
	EventRefunded      EventType = "ORDER_REFUNDED"       // a refund was accepted: PENDING or SUCCEEDED
	EventRefundRefused EventType = "ORDER_REFUND_REFUSED" // by the gateway or an operator; no money moved
	EventRefundFailed  EventType = "ORDER_REFUND_FAILED"  // it was accepted, and the money came back
	EventShipped       EventType = "ORDER_SHIPPED"
	EventDelivered     EventType = "ORDER_DELIVERED"
)

// RefundEvent is the body of a message about a refund. It says nothing of the gateway's status, so that the same refund
// always gives the same event of a type.
type RefundEvent struct {
	Version    int          `json:"version"`
	Type       EventType    `json:"type"`
	RefundID   RefundID     `json:"refundId"`
	OrderID    ID           `json:"orderId"`
	UserID     int64        `json:"userId"`
	Kind       RefundKind   `json:"kind"`
	Money      RefundMoney  `json:"money"`
	Amount     money.Money  `json:"amount,omitzero"` // 0 when no money moves; absent if a refused refund never had one
	Lines      []RefundLine `json:"lines,omitempty"`
	Reason     RefundReason `json:"reason,omitempty"`  // of ORDER_REFUND_REFUSED and ORDER_REFUND_FAILED
	Message    string       `json:"message,omitempty"` // for the customer
	OccurredAt time.Time    `json:"occurredAt"`        // when the refund was accepted, refused or failed
}

// NewRefundEvent returns the event of the refund's status, and false when that is not announced: it is BOOKED, or the books
// refused it and its requester has been told.
func NewRefundEvent(r Refund) (RefundEvent, bool) {
	e := RefundEvent{
		Version: EventVersion, RefundID: r.ID, OrderID: r.OrderID, UserID: r.UserID, Kind: r.Kind, Money: r.Money,
		Amount: r.Amount, Lines: r.Lines, Message: r.Message,
	}
	switch r.Status {
	case RefundPending, RefundSucceeded:
		e.Type, e.OccurredAt = EventRefunded, r.AcceptedAt
		return e, true
	case RefundRefused:
		e.Type, e.OccurredAt = EventRefundRefused, r.RefusedAt
	case RefundFailed:
		e.Type, e.OccurredAt = EventRefundFailed, r.FailedAt
	default:
		return RefundEvent{}, false
	}
	if r.Cause != nil {
		e.Reason, e.Message = r.Cause.Reason, r.Cause.Message
	}
	return e, !r.RefusedByBooks()
}

// MessageID identifies the event, as that of an order does.
func (e RefundEvent) MessageID() string { return string(e.RefundID) + "." + string(e.Type) }

// ShipmentEvent is the body of a message about a shipment.
type ShipmentEvent struct {
	Version    int            `json:"version"`
	Type       EventType      `json:"type"`
	ShipmentID ShipmentID     `json:"shipmentId"`
	OrderID    ID             `json:"orderId"`
	UserID     int64          `json:"userId"`
	Lines      []ShipmentLine `json:"lines"`
	Carrier    string         `json:"carrier,omitempty"`
	Tracking   string         `json:"tracking,omitempty"`
	OccurredAt time.Time      `json:"occurredAt"` // when it was shipped or delivered
}

// NewShipmentEvents returns the events of a shipment as it is, in order: a delivered one was shipped before.
func NewShipmentEvents(s Shipment) []ShipmentEvent {
	e := ShipmentEvent{
		Version: EventVersion, Type: EventShipped, ShipmentID: s.ID, OrderID: s.OrderID, UserID: s.UserID,
		Lines: s.Lines, Carrier: s.Carrier, Tracking: s.Tracking, OccurredAt: s.ShippedAt,
	}
	switch s.Status {
	case Shipped, LostInTransit:
		return []ShipmentEvent{e}
	case Delivered:
		delivered := e
		delivered.Type, delivered.OccurredAt = EventDelivered, s.DeliveredAt
		return []ShipmentEvent{e, delivered}
	default:
		return nil
	}
}

// MessageID identifies the event, as that of an order does.
func (e ShipmentEvent) MessageID() string { return string(e.ShipmentID) + "." + string(e.Type) }
