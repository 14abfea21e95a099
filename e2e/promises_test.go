package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/ordersaga/ordersaga/api/orderclient"
)

// keepsPromises waits until the orders are finished, checks everything that the system promises about them, and returns
// them by ID. No other order may have asked for lamps or chairs.
func (s *system) keepsPromises(ids ...string) map[string]*orderclient.Order {
	s.t.Helper()
	orders, sold := map[string]*orderclient.Order{}, map[string]int64{}
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
			sold[it.ProductID] += int64(it.Quantity - it.Returned)
		}
	}
	for product, initial := range map[string]int64{lamp: lamps, chair: 1} {
		s.unitsBecome(product, units{Available: initial - sold[product], Sold: sold[product]})
	}
	for _, o := range orders {
		s.announcedOnce(o) // again, now that everything is at rest
	}
	return orders
}

// unitsBecome waits until a product's units are as wanted: the products follow a commit after its response.
func (s *system) unitsBecome(product string, want units) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("the units of %s are %+v", product, want), func(context.Context) bool {
		return s.units(product) == want
	})
}

// announcedOnce waits until the notifier has acted on the order's end, and checks that it acted once.
func (s *system) announcedOnce(o *orderclient.Order) {
	s.t.Helper()
	want := "ORDER_CANCELLED"
	if o.Status == "CONFIRMED" {
		want = "ORDER_CONFIRMED"
	}
	var got []string
	eventually(s.t, "order "+o.ID+" is announced", func(context.Context) bool {
		got = slices.DeleteFunc(s.notifications(o.ID), func(n string) bool {
			return n == "ORDER_NEEDS_ATTENTION" || n == "ORDER_REFUNDED" // is for operators, is of another kind
		})
		return len(got) > 0
	})
	if !slices.Equal(got, []string{want}) {
		s.t.Errorf("order %s is %s, the customer was notified of %v", o.ID, o.Status, got)
	}
}

// paidOnce checks that the gateway keeps what was not given back of a confirmed order and no money of any other, and captured
// at most once.
func (s *system) paidOnce(o *orderclient.Order) {
	s.t.Helper()
	m, want := s.money(o.ID), int64(0)
	if o.Status == orderclient.Confirmed {
		want = o.Total.Amount
		if o.Refunded != nil {
			want -= o.Refunded.Amount
		}
	}
	if m.Net != want || m.Captures > 1 {
		s.t.Errorf("order %s is %s: the gateway captured %d in %d charges and refunded %d, want %d kept",
			o.ID, o.Status, m.Captured, m.Captures, m.Refunded, want)
	}
}

func wantEnd(t *testing.T, o *orderclient.Order, status, reason string) {
	t.Helper()
	if string(o.Status) != status || o.Reason != reason {
		t.Errorf("order %s ended %s %s, want %s %s", o.ID, o.Status, o.Reason, status, reason)
	}
}
