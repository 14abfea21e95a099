package ordertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Declines are the payment methods that a gateway declines in tests, with their decline codes.
var Declines = map[string]string{
	"pm_card_visa_chargeDeclined":                  "generic_decline",
	"pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
	"pm_card_chargeDeclinedExpiredCard":            "expired_card",
	"pm_card_authenticationRequired":               "authentication_required",
}

type payment struct {
	order.GatewayPayment
	method    string
	cancelled bool // a later charge is refused
	refunds   []order.GatewayRefund
	disputes  []order.Dispute
}

// MemoryPayments is a payment gateway in memory. It is safe for concurrent use and passes the contract in internal/stripe, so it
// behaves like the real one.
type MemoryPayments struct {
	mu       sync.Mutex
	payments map[string]payment // by idempotency key
}

// NewMemoryPayments returns a gateway without payments.
func NewMemoryPayments() *MemoryPayments { return &MemoryPayments{payments: map[string]payment{}} }

// key is the payment's idempotency key.
func key(p order.Payment) string { return string(p.OrderID) }

// Charge takes the payment once.
func (m *MemoryPayments) Charge(_ context.Context, p order.Payment) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known(p)
	switch code, declined := Declines[p.Method]; {
	case known.Refunded > 0:
		return "", decline("payment_refunded")
	case known.cancelled:
		return "", decline("payment_cancelled")
	case declined:
		return "", decline(code)
	}
	first := known.Captured == 0
	known.Captured, known.Currency, known.method = p.Amount.Amount, p.Amount.Currency, p.Method
	if first && p.Method == Disputed {
		known.dispute()
	}
	m.payments[key(p)] = known
	return known.ID, nil
}

func (m *MemoryPayments) known(p order.Payment) payment {
	known, ok := m.payments[key(p)]
	if !ok {
		known.ID, known.OrderID = "pi_"+key(p), p.OrderID
	}
	return known
}

func decline(code string) error {
	r := order.Refuse(order.PaymentDeclined, "the card was declined")
	r.Cause.DeclineCode = code
	return r
}

// Refund makes sure that the gateway keeps no money, now or later.
func (m *MemoryPayments) Refund(_ context.Context, p order.Payment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.Amount.Amount <= 0 {
		return fmt.Errorf("a payment of %s cannot be undone", p.Amount)
	}
	known := m.known(p)
	known.cancelled = true
	known.Refunded = known.Captured
	m.payments[key(p)] = known
	return nil
}

// Payment returns a payment as it is now, or order.ErrPaymentNotFound.
func (m *MemoryPayments) Payment(_ context.Context, paymentID string) (order.GatewayPayment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.payments {
		if p.ID == paymentID {
			return p.GatewayPayment, nil
		}
	}
	return order.GatewayPayment{}, order.ErrPaymentNotFound
}

// Till is what a gateway's books say about an order.
type Till struct {
	Charges   int   // payments that took money
	Kept      int64 // money taken and not given back
	Cancelled bool  // a late charge would be refused
}

// Till returns what the books say about an order.
func (m *MemoryPayments) Till(id order.ID) Till {
	m.mu.Lock()
	defer m.mu.Unlock()
	var t Till
	for _, p := range m.payments {
		if p.OrderID != id {
			continue
		}
		if p.Captured > 0 {
			t.Charges++
		}
		t.Kept += p.Captured - p.Refunded
		t.Cancelled = t.Cancelled || p.cancelled
	}
	return t
}
