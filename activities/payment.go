package activities

import (
	"context"
	"errors"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// GatewayPayments are payments as the gateway knows them, also those that no saga knows of.
type GatewayPayments interface {
	// Payment returns a payment as it is now, or order.ErrPaymentNotFound.
	Payment(ctx context.Context, paymentID string) (order.GatewayPayment, error)
	// GiveBack makes sure that the gateway keeps nothing of the payment, now or later. A repetition succeeds.
	GiveBack(ctx context.Context, id order.ID, paymentID string) error
}

// OrderTimelines are orders with a timeline that can be added to.
type OrderTimelines interface {
	// Order returns an order, or order.ErrNotFound.
	Order(ctx context.Context, id order.ID) (order.Order, error)
	// AppendTimeline adds an entry to the order's timeline, once under its key.
	AppendTimeline(ctx context.Context, id order.ID, key string, e order.Entry) error
}

// Settlement holds the activities of StripeEvent. All fields must be set.
type Settlement struct {
	Payments GatewayPayments
	Orders   OrderTimelines
}

// LookUpPaymentInput names a payment of the gateway.
type LookUpPaymentInput struct {
	PaymentID string `json:"paymentId"`
}

// LookUpPaymentResult is the payment as the gateway has it, nil when it has none.
type LookUpPaymentResult struct {
	Payment *order.GatewayPayment `json:"payment,omitempty"`
}

// LookUpPayment asks the gateway for a payment. Safe to repeat: it only reads.
func (s *Settlement) LookUpPayment(ctx context.Context, in LookUpPaymentInput) (LookUpPaymentResult, error) {
	p, err := s.Payments.Payment(ctx, in.PaymentID)
	if errors.Is(err, order.ErrPaymentNotFound) {
		return LookUpPaymentResult{}, nil
	}
	if err != nil {
		return LookUpPaymentResult{}, translate(err, "look up payment %s", in.PaymentID)
	}
	return LookUpPaymentResult{Payment: &p}, nil
}

// LookUpOrderResult is the state of an order. Found is false when there is none.
type LookUpOrderResult struct {
	Found     bool         `json:"found"`
	Status    order.Status `json:"status,omitempty"`
	PaymentID string       `json:"paymentId,omitempty"` // of a CONFIRMED order
}

// LookUpOrder reads the state of an order. Safe to repeat: it only reads.
func (s *Settlement) LookUpOrder(ctx context.Context, in OrderInput) (LookUpOrderResult, error) {
	o, err := s.Orders.Order(ctx, in.OrderID)
	if errors.Is(err, order.ErrNotFound) {
		return LookUpOrderResult{}, nil
	}
	if err != nil {
		return LookUpOrderResult{}, translate(err, "look up order %s", in.OrderID)
	}
	return LookUpOrderResult{Found: true, Status: o.Status, PaymentID: o.PaymentID}, nil
}

// GiveBackPaymentInput names a payment that an order must not keep.
type GiveBackPaymentInput struct {
	OrderID   order.ID `json:"orderId"`
	PaymentID string   `json:"paymentId"`
}

// GiveBackPayment gives back a payment that the order's saga does not know of. Safe to repeat: the gateway gives back no
// more than it has taken.
func (s *Settlement) GiveBackPayment(ctx context.Context, in GiveBackPaymentInput) error {
	err := s.Payments.GiveBack(ctx, in.OrderID, in.PaymentID)
	return translate(err, "give back payment %s of order %s", in.PaymentID, in.OrderID)
}

// NotePaymentInput is an entry for an order's timeline.
type NotePaymentInput struct {
	OrderID order.ID  `json:"orderId"`
	Key     string    `json:"key"` // names the entry, so that it is written once
	At      time.Time `json:"at"`
	Detail  string    `json:"detail"` // for operators
}

// NotePayment adds to the order's timeline that money was given back outside its saga. Safe to repeat: the entry is written
// once under its key.
func (s *Settlement) NotePayment(ctx context.Context, in NotePaymentInput) error {
	err := s.Orders.AppendTimeline(ctx, in.OrderID, in.Key, order.Entry{Type: order.EntryRefunded, At: in.At, Detail: in.Detail})
	return translate(err, "note a refund of order %s", in.OrderID)
}
