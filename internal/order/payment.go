package order

import (
	"errors"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// ErrPaymentNotFound is returned by gateways that do not know a payment.
var ErrPaymentNotFound = errors.New("payment not found")

// GatewayPayment is a payment as the gateway has it, also one that no saga made. Amounts are minor units of Currency.
type GatewayPayment struct {
	ID        string    `json:"id"`
	OrderID   ID        `json:"orderId,omitempty"` // as the gateway was told; "" when the payment belongs to no order
	Captured  int64     `json:"captured"`          // money taken, before refunds
	Refunded  int64     `json:"refunded"`          // money given back or on its way back
	Currency  string    `json:"currency"`
	CreatedAt time.Time `json:"createdAt"`
}

// Kept is the money that the gateway has taken and not given back.
func (p GatewayPayment) Kept() money.Money {
	return money.Money{Amount: p.Captured - p.Refunded, Currency: p.Currency}
}

// PaymentEventType says what has happened to a payment.
type PaymentEventType string

// The events that are acted on.
const (
	PaymentSucceeded  PaymentEventType = "payment_intent.succeeded"
	PaymentRefunded   PaymentEventType = "charge.refunded"
	RefundCreated     PaymentEventType = "refund.created"
	RefundUpdated     PaymentEventType = "refund.updated"
	RefundFailedLater PaymentEventType = "refund.failed" // after it was accepted
	DisputeCreated    PaymentEventType = "charge.dispute.created"
	DisputeUpdated    PaymentEventType = "charge.dispute.updated"
	DisputeClosed     PaymentEventType = "charge.dispute.closed"
	DisputeWithdrawn  PaymentEventType = "charge.dispute.funds_withdrawn"  // the bank has taken the money
	DisputeReinstated PaymentEventType = "charge.dispute.funds_reinstated" // and returned it
)

// PaymentEvent is the gateway's notice that something happened to a payment. It is a hint: it may come late, twice or out of
// order, so the workflow that acts on it looks the payment up. Its JSON is part of recorded histories.
type PaymentEvent struct {
	ID        string           `json:"id"` // the gateway's; the same each time the event is sent
	Type      PaymentEventType `json:"type"`
	PaymentID string           `json:"paymentId"`
}

// WorkflowID is the ID of the workflow that acts on the event.
func (e PaymentEvent) WorkflowID() string { return "stripe-event-" + e.ID }
