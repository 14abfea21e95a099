package activities

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// fakeGateway has refunds by payment.
type fakeGateway struct {
	refunds  map[string][]order.GatewayRefund
	disputes []order.Dispute
	broken   map[string]bool // payments whose refunds cannot be listed
}

func (g fakeGateway) RefundsOf(_ context.Context, paymentID string) ([]order.GatewayRefund, error) {
	if g.broken[paymentID] {
		return nil, errors.New("broken")
	}
	return g.refunds[paymentID], nil
}

func (g fakeGateway) DisputesOf(context.Context, string) ([]order.Dispute, error) {
	return g.disputes, nil
}

func (g fakeGateway) RefundsSince(context.Context, time.Time, string) ([]order.GatewayRefund, string, error) {
	return slices.Concat(g.refunds["ours"], g.refunds["other"]), "", nil
}

func (g fakeGateway) Payment(_ context.Context, id string) (order.GatewayPayment, error) {
	if id == "other" {
		return order.GatewayPayment{}, order.ErrPaymentNotFound
	}
	return order.GatewayPayment{ID: id, OrderID: "order"}, nil
}

func (g fakeGateway) GiveBack(context.Context, order.ID, string) error { return nil }

// fakeBooks know the refund "known".
type fakeBooks struct {
	pending         []order.Refund
	settled         []order.RefundID
	outside, looked []string
	disputes        []order.Dispute
	resumed         []order.RefundID
}

func (b *fakeBooks) Settle(_ context.Context, id order.RefundID, o order.RefundOutcome) (order.Refund, error) {
	if id != "known" {
		return order.Refund{}, order.ErrNotFound
	}
	b.settled = append(b.settled, id)
	return order.Refund{ID: id, Status: o.Status, Settled: len(b.settled) > 1}, nil // the second time nothing changes
}

func (b *fakeBooks) BookOutside(_ context.Context, _ order.ID, found order.GatewayRefund) (order.Refund, error) {
	b.outside = append(b.outside, found.ID)
	return order.Refund{ID: order.RefundID("outside " + found.ID)}, nil
}

func (b *fakeBooks) NoteDispute(_ context.Context, d order.Dispute) error {
	b.disputes = append(b.disputes, d)
	return nil
}

func (b *fakeBooks) Pending(context.Context, time.Duration, int) ([]order.Refund, error) {
	due := b.pending
	b.pending = nil
	return due, nil
}

func (b *fakeBooks) Looked(_ context.Context, id order.RefundID) error {
	b.looked = append(b.looked, string(id))
	return nil
}

func (b *fakeBooks) ResumeRefund(_ context.Context, req order.RefundRequest) error {
	b.resumed = append(b.resumed, req.ID)
	return nil
}

func (b *fakeBooks) Order(_ context.Context, id order.ID) (order.Order, error) {
	if id != "order" {
		return order.Order{}, order.ErrNotFound
	}
	return order.Order{ID: id, Status: order.Confirmed, PaymentID: "ours"}, nil
}

func (b *fakeBooks) AppendTimeline(context.Context, order.ID, string, order.Entry) error { return nil }

func newFollowing(g fakeGateway, b *fakeBooks) *Following {
	return &Following{Gateway: g, Payments: g, Books: b, Orders: b, Workflows: b}
}

func refundsOfOrder() []order.GatewayRefund {
	return []order.GatewayRefund{
		{ID: "re_1", PaymentID: "ours", OrderID: "order", RefundID: "known", Status: order.RefundSucceeded},
		{ID: "re_2", PaymentID: "ours", Status: order.RefundSucceeded},                                        // at the dashboard
		{ID: "re_3", PaymentID: "ours", OrderID: "order", RefundID: "unknown", Status: order.RefundSucceeded}, // of lost books
		{ID: "re_4", PaymentID: "ours", OrderID: "elsewhere", RefundID: "known", Status: order.RefundFailed},  // of other metadata
	}
}

func TestRefundsAreMatchedByTheirMetadata(t *testing.T) {
	t.Parallel()
	b := &fakeBooks{}
	g := fakeGateway{refunds: map[string][]order.GatewayRefund{"ours": refundsOfOrder()}, disputes: []order.Dispute{{ID: "dp_1"}}}
	f := newFollowing(g, b)
	for range 2 {
		if err := f.FollowPayment(t.Context(), FollowPaymentInput{OrderID: "order", PaymentID: "ours"}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []order.RefundID{"known", "known"}; !slices.Equal(b.settled, want) {
		t.Errorf("settled %v, want %v", b.settled, want)
	}
	if want := []string{"re_2", "re_3", "re_4", "re_2", "re_3", "re_4"}; !slices.Equal(b.outside, want) {
		t.Errorf("booked as outside %v, want %v", b.outside, want)
	}
	if !slices.Contains(b.resumed, "known") || len(b.resumed) != 7 {
		t.Errorf("resumed %v, want the known one once and each other one twice", b.resumed)
	}
	if len(b.disputes) != 2 || b.disputes[0].OrderID != "order" {
		t.Errorf("disputes %v, want that of the order, twice", b.disputes)
	}
}

func TestOnlyRefundsOfConfirmedOrdersAreBookedFromTheAccount(t *testing.T) {
	t.Parallel()
	b := &fakeBooks{}
	f := newFollowing(fakeGateway{refunds: map[string][]order.GatewayRefund{
		"ours": refundsOfOrder(), "other": {{ID: "re_9", PaymentID: "other"}, {ID: "re_8", PaymentID: "second", OrderID: "order"}},
	}}, b)
	if err := follow(f.FollowAccount, FollowAccountInput{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"re_2", "re_3"}; !slices.Equal(b.outside, want) || len(b.settled) != 1 {
		t.Errorf("booked %v and settled %v, want %v and one", b.outside, b.settled, want)
	}
}

func TestARefundThatCannotBeLookedUpDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	pending := func(payments ...string) (rows []order.Refund) {
		for _, p := range payments {
			rows = append(rows, order.Refund{ID: order.RefundID(p), OrderID: "order", PaymentID: p})
		}
		return rows
	}
	g := fakeGateway{broken: map[string]bool{"a": true, "b": true, "c": true}}
	b := &fakeBooks{pending: pending("a", "fine", "b", "last")}
	f := newFollowing(g, b)
	if err := follow(f.FollowPending, FollowPendingInput{}); err == nil {
		t.Error("two look-ups failed, and the run says nothing")
	}
	if want := []string{"a", "fine", "b", "last"}; !slices.Equal(b.looked, want) {
		t.Errorf("looked up %v, want %v", b.looked, want)
	}
	down := &fakeBooks{pending: pending("a", "b", "c", "fine")}
	f = newFollowing(g, down)
	if err := follow(f.FollowPending, FollowPendingInput{}); err == nil || len(down.looked) != 2 {
		t.Errorf("a gateway that is down: looked up %v, %v", down.looked, err)
	}
}

// follow runs an activity in Temporal's test environment, once.
func follow(activity, in any) error {
	env := environment()
	env.RegisterActivity(activity)
	_, err := env.ExecuteActivity(activity, in)
	return err
}
