package postgres_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/order"
)

// At 60 % of the order each, one of them fits.
func bookAtOnce(t *testing.T, b books) {
	o := sold(t, b)
	results := race(t, 50, func(int) (order.Refund, error) { return b.refunds.Book(t.Context(), goodwill(o, 1798)) })
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
	results = race(t, 10, func(int) (order.Refund, error) {
		req := request(o, order.Return, units(1, 1))
		req.Money = order.NoMoney // so only the units are in each other's way
		return b.refunds.Book(t.Context(), req)
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
	results := race(t, 20, func(i int) (order.Refund, error) {
		if i%2 == 0 {
			return b.refunds.Book(t.Context(), req)
		}
		return b.refunds.Fence(t.Context(), req, withdrawn)
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
		won := race(t, 10, func(i int) (bool, error) {
			if i%2 == 0 {
				s, err := b.shipments.Ship(t.Context(), shipment(o, 2, 1))
				return s.Status == order.Shipped, err
			}
			req := request(o, order.Cancellation, units(2, 1))
			req.Money = order.NoMoney
			r, err := b.refunds.Book(t.Context(), req)
			return r.Status == order.RefundBooked, err
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
		results := race(t, 10, func(i int) (order.Refund, error) {
			if i == 5 {
				return order.Refund{}, b.refunds.NoteDispute(t.Context(), d)
			}
			return b.refunds.Book(t.Context(), goodwill(o, 1))
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
	race(t, 12, func(i int) (order.Refund, error) {
		return b.refunds.Settle(t.Context(), r.ID, order.RefundOutcome{Status: statuses[i%3]})
	})
	r = must(b.refunds.Refund(t.Context(), r.ID))(t)
	entries := must(b.Timeline(t.Context(), o.ID))(t)[2:]
	if r.Status != order.RefundFailed || int64(len(entries)) != r.Version {
		t.Errorf("%s, version %d, %d entries", r.Status, r.Version, len(entries))
	}
}
