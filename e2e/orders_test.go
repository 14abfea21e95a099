package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestOutcomesOverHTTP(t *testing.T) {
	s := newSystem(t)
	tests := []struct {
		name            string
		method, product string
		quantity        int
		status          int
		problem         string
		end, reason     string
	}{
		{"confirmed", visa, lamp, 2, 201, "", "CONFIRMED", ""},
		{"card declined", declined, lamp, 3, 400, "payment-declined", "FAILED", "PAYMENT_DECLINED"},
		{"out of stock", visa, chair, 2, 400, "out-of-stock", "FAILED", "OUT_OF_STOCK"},
		{"unknown product", visa, "unicorn", 1, 404, "product-not-found", "FAILED", "PRODUCT_NOT_FOUND"},
	}
	var ids []string
	for _, tt := range tests {
		a := s.place(tt.method, tt.product, tt.quantity)
		if a.status != tt.status || tt.problem != "" && a.problem() != tt.problem {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, a.status, a.body, tt.status, tt.problem)
		}
		if a.orderID() == "" {
			t.Fatalf("%s: the response has no order ID: %s", tt.name, a.body)
		}
		ids = append(ids, a.orderID())
	}
	orders := s.keepsPromises(ids...)
	for i, tt := range tests {
		wantEnd(t, orders[ids[i]], tt.end, tt.reason)
	}
}

func TestMalformedOrderLeavesNothingBehind(t *testing.T) {
	s := newSystem(t)
	for name, body := range map[string]any{
		"no items":        map[string]any{"userId": 42, "items": []any{}},
		"zero quantity":   newOrder(visa, lamp, 0),
		"unknown field":   map[string]any{"userId": 42, "items": []any{map[string]any{"productId": lamp, "quantity": 1}}, "total": 1},
		"card number":     newOrder("4242424242424242", lamp, 1),
		"not an object":   []int{1},
		"missing user":    map[string]any{"items": []any{map[string]any{"productId": lamp, "quantity": 1}}},
		"fraction of one": map[string]any{"userId": 42, "items": []any{map[string]any{"productId": lamp, "quantity": 1.5}}},
	} {
		s.toAPI.expectWrong()
		a := s.do("POST", "http://"+s.api.addr+"/orders", body)
		if a.status != 422 && a.status != 400 || a.problem() == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	var page orderclient.OrderPage
	if err := s.do("GET", "http://"+s.api.addr+"/orders", nil).decode(&page); err != nil || len(page.Orders) != 0 {
		t.Errorf("orders after malformed requests: %+v, %v", page, err)
	}
	s.keepsPromises()
}

func TestSameKeyIsTheSameOrder(t *testing.T) {
	s := newSystem(t)
	key := "Idempotency-Key: " + servicestest.Name("basket")
	responses := make([]response, 8)
	var all sync.WaitGroup
	for i := range responses {
		all.Go(func() { responses[i] = s.place(visa, lamp, 1, key) })
	}
	all.Wait()
	id := responses[0].orderID()
	for _, a := range responses {
		if a.status != http.StatusCreated || a.orderID() != id {
			t.Errorf("got %d %s, want 201 for order %s", a.status, a.body, id)
		}
	}
	s.api.kill()
	s.api.start()
	s.api.ready()
	if a := s.place(visa, lamp, 1, key); a.status != http.StatusCreated || a.orderID() != id {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	if a := s.place(visa, lamp, 2, key); a.status != 422 || a.problem() != "idempotency-key-reused" {
		t.Errorf("another body under the same key: %d %s", a.status, a.body)
	}
	s.keepsPromises(id)
}

func TestLastUnitsAreSoldOnce(t *testing.T) {
	s := newSystem(t)
	const buyers, available = 40, 5
	s.stock("rare", available)
	ids := make([]string, buyers)
	outcomes := make([]int, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() {
			a := s.place(visa, "rare", 1)
			ids[i], outcomes[i] = a.orderID(), a.status
		})
	}
	all.Wait()
	confirmed := 0
	for _, o := range s.keepsPromises(ids...) {
		if o.Status == "CONFIRMED" {
			confirmed++
		} else if o.Reason != "OUT_OF_STOCK" {
			t.Errorf("order %s ended %s %s", o.ID, o.Status, o.Reason)
		}
	}
	if confirmed != available {
		t.Errorf("%d orders confirmed, want %d (statuses %v)", confirmed, available, outcomes)
	}
	s.unitsBecome("rare", units{Sold: available})
}

func TestCancelUndoesAnOrderOrGivesItBack(t *testing.T) {
	s := newSystem(t)
	confirmed := s.place(visa, lamp, 1).orderID()
	for range 2 {
		a := s.do("POST", fmt.Sprintf("http://%s/orders/%s/cancel", s.api.addr, confirmed), nil)
		if a.status != http.StatusAccepted && a.status != http.StatusOK {
			t.Errorf("cancel a confirmed order: %d %s", a.status, a.body)
		}
	}
	eventually(t, "the confirmed order is given back", func(context.Context) bool {
		return s.order(confirmed).GivenBack == orderclient.PartAll
	})
	s.faults(paidButUnknown...)
	id := s.placeAsync(visa, lamp, 2)
	eventually(t, "the money is taken", func(context.Context) bool { return s.money(id).Captured > 0 })
	a := s.do("POST", fmt.Sprintf("http://%s/orders/%s/cancel", s.api.addr, id), nil)
	if a.status != http.StatusAccepted && a.status != http.StatusOK {
		t.Errorf("cancel an order that is being paid: %d %s", a.status, a.body)
	}
	s.faults()
	orders := s.keepsPromises(confirmed, id)
	wantEnd(t, orders[confirmed], "CONFIRMED", "")
	wantEnd(t, orders[id], "CANCELLED", "CANCELLED_BY_USER")
}
