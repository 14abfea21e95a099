package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ordersaga/ordersaga/internal/order"
)

// rivals makes calls and runs them at once. Like every caller of a store, a rival repeats a call that timed out: on a busy
// machine, the last in a queue for a row may wait too long.
func rivals[T any](t *testing.T, n int, call func(i int) func() (T, error)) []T {
	t.Helper()
	calls := make([]func() (T, error), n)
	for i := range calls {
		calls[i] = call(i)
	}
	return race(t, n, func(i int) (T, error) {
		for {
			if result, err := calls[i](); !errors.Is(err, context.DeadlineExceeded) {
				return result, err
			}
		}
	})
}

// At 60 % of the order each, one of them fits.
func bookAtOnce(t *testing.T, b books) {
	o := sold(t, b)
	results := rivals(t, 50, func(int) func() (order.Refund, error) {
		req := goodwill(o, 1798)
		return func() (order.Refund, error) { return b.refunds.Book(t.Context(), req) }
	})
	booked := 0
	for _, r := range results {
		if r.Status == order.RefundBooked {
			booked++
		} else if cause := wantRefused(t, r, order.RefundTooLarge); *cause.Left != usd(1199) {
			t.Errorf("refused with %s left", cause.Left)
		}
	}
	if booked != 1 {
		t.Errorf("%d are booked, want 1", booked)
	}
	o = sold(t, b)
	results = rivals(t, 10, func(int) func() (order.Refund, error) {
		req := request(o, order.Return, units(1, 1))
		req.Money = order.NoMoney // so only the units are in each other's way
		return func() (order.Refund, error) { return b.refunds.Book(t.Context(), req) }
	})
	booked = 0
	for _, r := range results {
		if r.Status == order.RefundBooked {
			booked++
		}
	}
	if booked != 2 {
		t.Errorf("%d returns of 2 units are booked", booked)
	}
}

func oneRequestAtOnce(t *testing.T, b books) {
	o := sold(t, b)
	req := request(o, order.Cancellation)
	results := rivals(t, 20, func(i int) func() (order.Refund, error) {
		if i%2 == 0 {
			return func() (order.Refund, error) { return b.refunds.Book(t.Context(), req) }
		}
		return func() (order.Refund, error) { return b.refunds.Fence(t.Context(), req, withdrawn) }
	})
	for _, r := range results {
		same(t, "a result", results[0], r)
	}
	if entries := must(b.Timeline(t.Context(), o.ID))(t); len(entries) != 3 {
		t.Errorf("%d entries, want 3: %v", len(entries), entries)
	}
}

func shipAndCancelAtOnce(t *testing.T, b books) {
	for range 5 {
		o := sold(t, b)
		won := rivals(t, 10, func(i int) func() (bool, error) {
			parcel, req := shipment(o, 2, 1), request(o, order.Cancellation, units(2, 1))
			req.Money = order.NoMoney
			return func() (bool, error) {
				if i%2 == 0 {
					s, err := b.shipments.Ship(t.Context(), parcel)
					return s.Status == order.Shipped, err
				}
				r, err := b.refunds.Book(t.Context(), req)
				return r.Status == order.RefundBooked, err
			}
		})
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		if winners != 1 {
			t.Errorf("%d shipped or cancelled the one unit", winners)
		}
	}
}

// Either the refund was booked first, or it is refused for the dispute, which is noted in any case.
func bookAndDisputeAtOnce(t *testing.T, b books) {
	for range 5 {
		o := sold(t, b)
		d := disputeOf(o, "dp_"+string(o.ID))
		results := rivals(t, 10, func(i int) func() (order.Refund, error) {
			req := goodwill(o, 1)
			return func() (order.Refund, error) {
				if i == 5 {
					return order.Refund{}, b.refunds.NoteDispute(t.Context(), d)
				}
				return b.refunds.Book(t.Context(), req)
			}
		})
		disputed := false
		entries := must(b.Timeline(t.Context(), o.ID))(t)
		for _, e := range entries[2:] {
			disputed = disputed || e.Type == order.EntryDisputeOpened
			if want := order.EntryRefundRefused; disputed && e.Type != order.EntryDisputeOpened && e.Type != want {
				t.Errorf("%s after the dispute", e.Type)
			}
		}
		if !disputed || len(entries) != 12 {
			t.Errorf("%d entries, disputed: %t", len(entries), disputed)
		}
		for _, r := range results {
			if r.Status == order.RefundRefused {
				wantRefused(t, r, order.PaymentDisputed)
			}
		}
	}
}

func settleAtOnce(t *testing.T, b books) {
	o := sold(t, b)
	r := b.book(t, goodwill(o, 1))
	statuses := []order.RefundStatus{order.RefundPending, order.RefundSucceeded, order.RefundFailed}
	rivals(t, 12, func(i int) func() (order.Refund, error) {
		return func() (order.Refund, error) {
			return b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{Status: statuses[i%3]})
		}
	})
	r = must(b.refunds.Refund(t.Context(), r.ID))(t)
	entries := must(b.Timeline(t.Context(), o.ID))(t)[2:]
	if r.Status != order.RefundFailed || int64(len(entries)) != r.Version {
		t.Errorf("%s, version %d, %d entries", r.Status, r.Version, len(entries))
	}
}
