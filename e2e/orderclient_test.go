package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestTheGoClientOnTheRealAPI(t *testing.T) {
	s := newSystem(t)
	orders, ask := s.client, func(method string) orderclient.NewOrder { return newOrder(method, lamp, 1) }
	key := orderclient.WithKey(servicestest.Name("basket"))
	placed, err := orders.Place(t.Context(), ask(visa), key)
	if err != nil || placed.Status != orderclient.Confirmed || placed.Replayed || placed.SagaURL == "" {
		t.Fatalf("placed %+v, %v; want it confirmed", placed, err)
	}
	again, err := orders.Place(t.Context(), ask(visa), key)
	if err != nil || again.ID != placed.ID || !again.Replayed {
		t.Errorf("placed again: %+v, %v", again, err)
	}
	if same, err := orders.GetIfChanged(t.Context(), placed.ID, again.ETag); same != nil || err != nil {
		t.Errorf("unchanged: got %+v, %v", same, err)
	}
	for range 2 { // all of a confirmed order is given back, once
		back, err := orders.Cancel(t.Context(), placed.ID, "ordered twice")
		if err != nil || back.Status != orderclient.Confirmed || back.RefundID == "" {
			t.Fatalf("cancelled: %+v, %v; want a refund of all of it", back, err)
		}
		servicestest.Eventually(t, 20*time.Second, "the order is given back", func() bool {
			o, err := orders.Get(t.Context(), placed.ID)
			return err == nil && o.GivenBack == orderclient.PartAll && *o.Refunded == *o.Total
		})
	}
	if refunds, err := orders.Refunds(t.Context(), placed.ID); err != nil || len(refunds) != 1 {
		t.Errorf("refunds: %+v, %v; want one", refunds, err)
	}
	asyncKey := orderclient.WithKey(servicestest.Name("async"))
	async, err := orders.Place(t.Context(), ask(visa), asyncKey, orderclient.Wait(0))
	if err != nil {
		t.Fatalf("placed without waiting: %v", err)
	}
	_, err = orders.Place(t.Context(), ask(declined), asyncKey)
	wantProblem(t, err, orderclient.KeyReused)
	for _, err := range orders.Watch(t.Context(), async.ID) { // until it has ended, so that it is listed second
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = orders.Place(t.Context(), ask(declined))
	p := wantProblem(t, err, orderclient.PaymentDeclined)

	var steps []string
	var last *orderclient.Order
	for e, err := range orders.Watch(t.Context(), p.OrderID) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Entry != nil {
			steps = append(steps, e.Entry.Type+" "+e.Entry.Step)
		} else {
			last = e.Order
		}
	}
	if last == nil || last.Status != orderclient.Failed || last.Reason != "PAYMENT_DECLINED" {
		t.Errorf("the watched order ended as %+v", last)
	}
	timeline, err := orders.Timeline(t.Context(), p.OrderID)
	if err != nil || len(timeline) != len(steps) {
		t.Errorf("the stream had %d entries, the timeline has %d (%v)", len(steps), len(timeline), err)
	}
	var ids []string
	for o, err := range orders.List(t.Context(), orderclient.Filter{UserID: 42, PageSize: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	if len(ids) != 3 || ids[0] != p.OrderID || ids[2] != placed.ID {
		t.Errorf("listed %q, want three orders, newest first", ids)
	}
	s.keepsPromises(ids...)
}

func wantProblem(t *testing.T, err error, kind string) *orderclient.Problem {
	t.Helper()
	var p *orderclient.Problem
	if !errors.As(err, &p) || p.Type != kind {
		t.Fatalf("got %v, want %s", err, kind)
	}
	return p
}
