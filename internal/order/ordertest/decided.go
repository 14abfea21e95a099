package ordertest

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/order"
)

func decided(t *testing.T, s Store) {
	pending, confirmed, closing, ended := NewOrder(1), NewOrder(1), NewOrder(1), NewOrder(1)
	want := map[order.ID]order.Order{}
	for _, o := range []order.Order{pending, confirmed, closing, ended} {
		must(s.Create(t.Context(), o))(t)
	}
	want[confirmed.ID] = must(s.Confirm(t.Context(), confirmed.ID, "pi_1", nil))(t)
	want[closing.ID] = must(s.Close(t.Context(), closing.Request(), outOfStock, nil))(t)
	must(s.Close(t.Context(), ended.Request(), cancelled, nil))(t)
	want[ended.ID] = must(s.Finish(t.Context(), ended.ID, nil))(t)

	got, err := s.Decided(t.Context(), []order.ID{pending.ID, confirmed.ID, closing.ID, ended.ID, NewOrder(1).ID})
	if err != nil || len(got) != len(want) {
		t.Errorf("got %d orders, want %d: %+v, %v", len(got), len(want), got, err)
	}
	for _, o := range got {
		same(t, "order "+string(o.Status), want[o.ID], o)
	}
	if none, err := s.Decided(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("asked for no order: got %+v, %v", none, err)
	}
}
