package ordertest

import (
	"context"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Payment methods whose refunds and disputes are special, as at Stripe.
const (
	PendingRefund = "pm_card_pendingRefund" // refunds are PENDING until Happen
	RefundFails   = "pm_card_refundFail"    // refunds succeed, and fail with Happen
	Disputed      = "pm_card_createDispute" // the payment is disputed at once
)

// RefundPart gives the amount back once.
func (m *MemoryPayments) RefundPart(_ context.Context, r order.Refund) (order.RefundOutcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.find(r); ok {
		return found.Outcome(), nil
	}
	for key, p := range m.payments {
		if p.ID != r.PaymentID {
			continue
		}
		if reason, message := p.refuses(r.Amount); reason != "" {
			cause := &order.RefundCause{Reason: reason, Message: message, By: order.RefusedByGateway}
			return order.RefundOutcome{Status: order.RefundRefused, Cause: cause}, nil
		}
		refund := order.GatewayRefund{
			ID: fmt.Sprintf("re_%s", r.ID), PaymentID: p.ID, OrderID: r.OrderID, RefundID: r.ID, Status: order.RefundSucceeded,
			Amount: r.Amount, CreatedAt: time.Now(),
		}
		if p.method == PendingRefund {
			refund.Status = order.RefundPending
		}
		p.Refunded += r.Amount.Amount
		p.refunds = append(p.refunds, refund)
		m.payments[key] = p
		return refund.Outcome(), nil
	}
	return order.RefundOutcome{}, order.ErrPaymentNotFound
}

// refuses returns why the payment cannot be refunded, or "".
func (p payment) refuses(amount money.Money) (order.RefundReason, string) {
	for _, d := range p.disputes {
		if !d.Closed || d.Lost {
			return order.PaymentDisputed, "the payment is disputed"
		}
	}
	switch left := p.Captured - p.Refunded; {
	case left == 0:
		return order.AlreadyRefunded, "all of the payment has been refunded already"
	case amount.Amount > left:
		return order.GatewayRefused, "less of the payment is left"
	}
	return "", ""
}

// FindRefund looks the refund up.
func (m *MemoryPayments) FindRefund(_ context.Context, r order.Refund) (order.RefundOutcome, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.find(r)
	if !ok {
		return order.RefundOutcome{}, false, nil
	}
	return found.Outcome(), true, nil
}

func (m *MemoryPayments) find(r order.Refund) (order.GatewayRefund, bool) {
	for _, p := range m.payments {
		for _, refund := range p.refunds {
			if refund.RefundID == r.ID {
				return refund, true
			}
		}
	}
	return order.GatewayRefund{}, false
}

// RefundsOf lists all refunds of a payment, oldest first.
func (m *MemoryPayments) RefundsOf(_ context.Context, paymentID string) ([]order.GatewayRefund, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.payments {
		if p.ID == paymentID {
			return append([]order.GatewayRefund(nil), p.refunds...), nil
		}
	}
	return nil, order.ErrPaymentNotFound
}

// DisputesOf lists all disputes of a payment, oldest first.
func (m *MemoryPayments) DisputesOf(_ context.Context, paymentID string) ([]order.Dispute, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.payments {
		if p.ID == paymentID {
			return append([]order.Dispute(nil), p.disputes...), nil
		}
	}
	return nil, order.ErrPaymentNotFound
}

// Dispute opens a dispute of all of a payment.
func (m *MemoryPayments) Dispute(paymentID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, p := range m.payments {
		if p.ID == paymentID {
			p.dispute()
			m.payments[key] = p
		}
	}
}

func (p *payment) dispute() {
	p.disputes = append(p.disputes, order.Dispute{
		ID: fmt.Sprintf("dp_%s_%d", p.ID, len(p.disputes)+1), PaymentID: p.ID, Status: "needs_response", Reason: "fraudulent",
		Amount: money.Money{Amount: p.Captured, Currency: p.Currency}, OpenedAt: time.Now(),
	})
}

// Happen lets happen what happens at a gateway by itself: pending refunds succeed, and those of RefundFails fail.
func (m *MemoryPayments) Happen() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, p := range m.payments {
		for i := range p.refunds {
			r := &p.refunds[i]
			switch {
			case r.Status == order.RefundPending:
				r.Status = order.RefundSucceeded
			case r.Status == order.RefundSucceeded && p.method == RefundFails:
				r.Status, r.Failure = order.RefundFailed, "expired_or_canceled_card"
				p.Refunded -= r.Amount.Amount
			}
		}
		m.payments[key] = p
	}
}
