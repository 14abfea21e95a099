package order

import "fmt"

// Reason says why an order failed or was cancelled.
type Reason string

// The reasons. Those of a customer or an operator end an order as CANCELLED, all others as FAILED.
const (
	OutOfStock          Reason = "OUT_OF_STOCK"
	ProductNotFound     Reason = "PRODUCT_NOT_FOUND"
	MixedCurrencies     Reason = "MIXED_CURRENCIES"
	InvalidAmount       Reason = "INVALID_AMOUNT"
	PaymentDeclined     Reason = "PAYMENT_DECLINED"
	ReservationLost     Reason = "RESERVATION_LOST" // the hold expired or was released before it was sold
	TimedOut            Reason = "TIMED_OUT"
	CancelledByUser     Reason = "CANCELLED_BY_USER"
	CancelledByOperator Reason = "CANCELLED_BY_OPERATOR"
	Interrupted         Reason = "INTERRUPTED" // the workflow was terminated or failed; recovery ended the order
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{
		OutOfStock, ProductNotFound, MixedCurrencies, InvalidAmount, PaymentDeclined, ReservationLost, TimedOut,
		CancelledByUser, CancelledByOperator, Interrupted,
	}
}

// FinalStatus is the status in which an order with this reason ends.
func (r Reason) FinalStatus() Status {
	if r == CancelledByUser || r == CancelledByOperator {
		return Cancelled
	}
	return Failed
}

// Cause is a reason with what the customer may know about it. Its JSON is stored with the order and part of recorded
// histories.
type Cause struct {
	Reason      Reason     `json:"reason"`
	Message     string     `json:"message"`               // for the customer
	DeclineCode string     `json:"declineCode,omitempty"` // PAYMENT_DECLINED: the gateway's code
	Shortages   []Shortage `json:"shortages,omitempty"`   // OUT_OF_STOCK: every short product
	ProductIDs  []string   `json:"productIds,omitempty"`  // PRODUCT_NOT_FOUND: every unknown product
}

// Shortage is a product that has fewer units than the order wants.
type Shortage struct {
	ProductID string `json:"productId"`
	Requested int64  `json:"requested"` // units over all lines of the order
	Available int64  `json:"available"` // units when the reservation was refused
}

// Refusal is a final no of an outside system: an outcome of the order, never retried. Every error that is not a
// Refusal counts as broken and is retried.
type Refusal struct{ Cause Cause }

// Refuse returns a Refusal for the reason, with a message for the customer.
func Refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Cause{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Cause.Reason, r.Cause.Message) }
