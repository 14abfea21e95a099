package api

import (
	"context"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// refundScript runs when a refund's saga is started. It changes the store as the saga would.
type refundScript func(s *memory, req order.RefundRequest) error

// answers books the refund, and the gateway says this about it.
func answers(status order.RefundStatus) refundScript {
	return func(s *memory, req order.RefundRequest) error {
		r, err := s.Refunds().Book(context.Background(), req)
		if err != nil || r.Status != order.RefundBooked {
			return err
		}
		_, err = s.Refunds().Settle(context.Background(), req.ID, order.RefundOutcome{Status: status, GatewayID: "re_1"})
		return err
	}
}

// books only books the refund, as if the gateway were down.
func books(s *memory, req order.RefundRequest) error {
	_, err := s.Refunds().Book(context.Background(), req)
	return err
}

// idles writes no row, as if there were no worker.
func idles(*memory, order.RefundRequest) error { return nil }

func breaks(err error) refundScript { return func(*memory, order.RefundRequest) error { return err } }

func (f *fakeEngine) StartRefund(_ context.Context, req order.RefundRequest) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.refunds[req.ID]; ok {
		return false, nil
	}
	if err := f.refund(f.store, req); err != nil {
		return false, err
	}
	f.refunds[req.ID] = req
	return true, nil
}

func (f *fakeEngine) RefundRequest(_ context.Context, id order.RefundID) (order.RefundRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.describes != nil {
		return order.RefundRequest{}, f.describes
	}
	req, ok := f.refunds[id]
	if !ok {
		return order.RefundRequest{}, order.ErrNotFound
	}
	return req, nil
}

// brokenRefunds fail as their store does.
type brokenRefunds struct{ *brokenStore }

func (b brokenRefunds) Refund(ctx context.Context, id order.RefundID) (order.Refund, error) {
	if err := b.failing(ctx); err != nil {
		return order.Refund{}, err
	}
	return b.Memory.Refunds().Refund(ctx, id)
}

func (b brokenRefunds) OfOrder(ctx context.Context, id order.ID) ([]order.Refund, error) {
	if err := b.failing(ctx); err != nil {
		return nil, err
	}
	return b.Memory.Refunds().OfOrder(ctx, id)
}

func (b brokenRefunds) Answered(ctx context.Context, ids []order.RefundID) ([]order.Refund, error) {
	if err := b.failing(ctx); err != nil {
		return nil, err
	}
	return b.Memory.Refunds().Answered(ctx, ids)
}

// testCancelWindow is longer than any order of these tests is old.
const testCancelWindow = time.Hour

// oneBack asks for one of two mugs.
const oneBack = `{"kind":"RETURN","lines":[{"line":1,"quantity":1}]}`

// sellMugs stores the confirmed order keyed: two mugs at 9.99 USD.
func sellMugs(t testing.TB, s *memory) order.ID {
	t.Helper()
	err := confirms(s, order.Request{
		ID: keyed, UserID: 42, Items: []order.Item{{ProductID: "mug", Quantity: 2}}, PaymentMethod: "pm_card_visa", Hash: "c0ffee",
	})
	if err != nil {
		t.Fatal(err)
	}
	return keyed
}

// allBack is a refund of everything.
var allBack = order.RefundRequest{
	ID: "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2c", OrderID: keyed, Kind: order.Cancellation, By: order.ByOperator,
	Money: order.ThroughGateway, Hash: "c0ffee",
}
