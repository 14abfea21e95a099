package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

func changes(t *testing.T, s store) {
	one, two := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t), must(s.Create(t.Context(), ordertest.NewOrder(2)))(t)
	since := map[order.ID]int64{one.ID: 0, two.ID: 0, ordertest.NewOrder(3).ID: 0}
	got := follow(t, s, since)
	if len(got) != 2 {
		t.Fatalf("got %d changes, want one for each known order", len(got))
	}
	equal(t, "the first order", one, got[one.ID].Order)
	added(t, got[two.ID], order.Entry{Type: order.EntryCreated})

	if got := follow(t, s, since); len(got) != 0 {
		t.Errorf("got %v, want no change that was returned before", got)
	}
	confirmed := must(s.Confirm(t.Context(), one.ID, "pi_1", []order.Entry{step("ChargePayment")}))(t)
	got = follow(t, s, since)
	if len(got) != 1 {
		t.Fatalf("got %d changes, want the confirmed order's", len(got))
	}
	same(t, "the confirmed order", confirmed, got[one.ID].Order)
	added(t, got[one.ID], step("ChargePayment"), order.Entry{Type: order.EntryConfirmed})

	refunded := order.Entry{Type: order.EntryRefunded, At: confirmed.UpdatedAt, Step: "GiveBack"}
	if err := s.AppendTimeline(t.Context(), one.ID, "evt_1", refunded); err != nil {
		t.Fatal(err)
	}
	added(t, follow(t, s, since)[one.ID], refunded)
	if none, err := s.Changes(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("got %v, %v, want no changes", none, err)
	}
}

// Entries and a transition come at the same time, and a reader that polls sees each of them once.
func nothingIsMissed(t *testing.T, s store) {
	const appends = 20
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	var writers sync.WaitGroup
	for i := range appends {
		writers.Go(func() {
			r := order.Entry{Type: order.EntryCommand, At: o.CreatedAt, Step: fmt.Sprint(i)}
			if err := s.AppendTimeline(t.Context(), o.ID, fmt.Sprint("entry-", i), r); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Go(func() {
		if _, err := s.Confirm(t.Context(), o.ID, "pi_1", nil); err != nil {
			t.Error(err)
		}
	})
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	var seen []order.Entry
	since := map[order.ID]int64{o.ID: 0}
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		for _, e := range follow(t, s, since)[o.ID].Entries {
			seen = append(seen, e.Entry)
		}
	}
	timeline(t, s, o.ID, seen...)
	if want := appends + 2; len(seen) != want {
		t.Errorf("saw %d entries, want %d", len(seen), want)
	}
}

// follow returns what changed since the given entries, by order, and moves since forward.
func follow(t *testing.T, s store, since map[order.ID]int64) map[order.ID]order.Change {
	t.Helper()
	found, err := s.Changes(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	changes := map[order.ID]order.Change{}
	for _, c := range found {
		changes[c.Order.ID] = c
		for _, e := range c.Entries {
			if e.ID <= since[c.Order.ID] {
				t.Errorf("entry %d comes after entry %d", e.ID, since[c.Order.ID])
			}
			since[c.Order.ID] = e.ID
		}
	}
	return changes
}

func added(t *testing.T, c order.Change, want ...order.Entry) {
	t.Helper()
	var got []order.Entry
	for _, e := range c.Entries {
		got = append(got, e.Entry)
	}
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("what was added (-want +got):\n%s", diff)
	}
}
