package stripe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

// Charge and Refund are a step and its undo, so they pass the suite for any step.

func TestChargesKeepTheContractOfAParticipant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	participanttest.Step(t, participant(w.payments, func(id order.ID) int64 { return w.gateway.Money(string(id)).Net }))
}

func TestMemoryChargesKeepTheContractOfAParticipant(t *testing.T) {
	t.Parallel()
	memory := ordertest.NewMemoryPayments()
	participanttest.Step(t, participant(memory, func(id order.ID) int64 { return memory.Till(id).Kept }))
}

// participant charges each saga the same amount. kept returns the money that the gateway holds for an order.
func participant(payments sagaPayments, kept func(order.ID) int64) participanttest.Participant {
	sample := newPayment("pm_card_visa")
	of := func(saga string) order.Payment {
		p := sample
		p.OrderID = order.ID(uuid.NewSHA1(uuid.Nil, []byte(saga)).String())
		return p
	}
	return participanttest.Participant{
		Do:   func(ctx context.Context, saga string) (string, error) { return payments.Charge(ctx, of(saga)) },
		Undo: func(ctx context.Context, saga string) error { return payments.Refund(ctx, of(saga)) },
		Effects: func(_ context.Context, saga string) (int, error) {
			charges := kept(of(saga).OrderID) / sample.Amount.Amount
			return int(charges), nil
		},
		Refused: func(err error) bool { return errors.As(err, new(*order.Refusal)) },
	}
}
