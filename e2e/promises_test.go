package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// keepsPromises waits until the orders are at their ends and checks everything that the system promises about them.
// Lamps and chairs must not have been ordered by any other order. It returns the orders by ID.
func (s *system) keepsPromises(ids ...string) map[string]storedOrder {
	s.t.Helper()
	orders, sold := map[string]storedOrder{}, map[string]int64{}
	for _, id := range ids {
		o := s.finished(id)
		orders[id] = o
		s.announcedOnce(o)
		s.paidOnce(o)
		s.historyHoldsNoSecrets(id)
		if o.Status != "CONFIRMED" {
			continue
		}
		for _, it := range o.Items {
			sold[it.ProductID] += it.Quantity
		}
	}
	for product, initial := range map[string]int64{lamp: lamps, chair: 1} {
		s.unitsBecome(product, units{Available: initial - sold[product], Sold: sold[product]})
	}
	for _, o := range orders {
		s.announcedOnce(o) // again, now that everything is at rest: it must still be once
	}
	return orders
}

// unitsBecome waits until a product's units are where they have to be: a commit is answered before its products follow.
func (s *system) unitsBecome(product string, want units) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the units of %s are %+v", product, want), func(context.Context) bool {
		return s.units(product) == want
	})
}

// announcedOnce waits until the notifier has acted on the order's end and checks that it acted on nothing else.
func (s *system) announcedOnce(o storedOrder) {
	s.t.Helper()
	want := "ORDER_CANCELLED"
	if o.Status == "CONFIRMED" {
		want = "ORDER_CONFIRMED"
	}
	var got []string
	eventually(s.t, "order "+o.ID+" is announced", func(context.Context) bool {
		got = slices.DeleteFunc(s.notifications(o.ID), func(n string) bool {
			return n == "ORDER_NEEDS_ATTENTION" // is for operators
		})
		return len(got) > 0
	})
	if !slices.Equal(got, []string{want}) {
		s.t.Errorf("order %s is %s, the customer was told %v", o.ID, o.Status, got)
	}
}

// paidOnce checks what the gateway keeps of the order.
func (s *system) paidOnce(o storedOrder) {
	s.t.Helper()
	m, want := s.money(o.ID), int64(0)
	if o.Status == "CONFIRMED" {
		want = o.Total.Amount
	}
	if m.Net != want || m.Captures > 1 {
		s.t.Errorf("order %s is %s with a total of %d; the gateway captured %d in %d charges and refunded %d",
			o.ID, o.Status, o.Total.Amount, m.Captured, m.Captures, m.Refunded)
	}
}

func wantEnd(t *testing.T, o storedOrder, status, reason string) {
	t.Helper()
	if o.Status != status || o.Reason != reason {
		t.Errorf("order %s ended %s %s, want %s %s", o.ID, o.Status, o.Reason, status, reason)
	}
}
