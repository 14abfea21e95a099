package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

func lists(t *testing.T, s store) {
	const mine, theirs = 7, 8
	var all []order.Order
	for i := range 9 {
		o := ordertest.NewOrder([]int64{mine, mine, theirs}[i%3])
		if i%4 == 0 { // on two lines
			o.Items[0].ProductID, o.Items[1].ProductID = "kettle", "kettle"
		}
		o = must(s.Create(t.Context(), o))(t)
		if i%2 == 0 {
			o = must(s.Confirm(t.Context(), o.ID, "pi", nil))(t)
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b order.Order) int { return byAge(b, a) })
	for name, tc := range map[string]struct {
		query order.Query
		match func(order.Order) bool
	}{
		"all":         {order.Query{}, func(order.Order) bool { return true }},
		"of a user":   {order.Query{UserID: mine}, func(o order.Order) bool { return o.UserID == mine }},
		"of a status": {order.Query{Status: order.Pending}, func(o order.Order) bool { return o.Status == order.Pending }},
		"of both": {
			order.Query{UserID: theirs, Status: order.Confirmed},
			func(o order.Order) bool { return o.UserID == theirs && o.Status == order.Confirmed },
		},
		"of a stranger": {order.Query{UserID: 99}, func(order.Order) bool { return false }},
		"of a product":  {order.Query{ProductID: "kettle"}, func(o order.Order) bool { return o.Items[0].ProductID == "kettle" }},
		"of a product, a user and a time": {
			order.Query{ProductID: "kettle", UserID: mine, From: all[6].CreatedAt},
			func(o order.Order) bool {
				return o.Items[0].ProductID == "kettle" && o.UserID == mine && !o.CreatedAt.Before(all[6].CreatedAt)
			},
		},
		"of a product and a status": {
			order.Query{ProductID: "kettle", Status: order.Confirmed},
			func(o order.Order) bool { return o.Items[0].ProductID == "kettle" && o.Status == order.Confirmed },
		},
		"of a product and a status that changed": {
			order.Query{ProductID: "tea", UserID: mine, Status: order.Pending},
			func(o order.Order) bool {
				return o.Items[1].ProductID == "tea" && o.UserID == mine && o.Status == order.Pending
			},
		},
		"of a time": {order.Query{From: all[6].CreatedAt, To: all[2].CreatedAt}, func(o order.Order) bool {
			return !o.CreatedAt.Before(all[6].CreatedAt) && o.CreatedAt.Before(all[2].CreatedAt)
		}},
		"of a status none": {order.Query{Status: order.Cancelled}, func(order.Order) bool { return false }},
	} {
		want := slices.DeleteFunc(slices.Clone(all), func(o order.Order) bool { return !tc.match(o) })
		for _, limit := range []int{1, 2, 3, 4, 0, 1000} {
			tc.query.Limit = limit
			got := pages(t, func(cursor string) ([]order.Order, string, error) {
				tc.query.Cursor = cursor
				return s.Orders(t.Context(), tc.query)
			}, tc.query.PageSize())
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("orders, %s, by %d (-want +got):\n%s", name, limit, diff)
			}
		}
	}
}

// byAge puts the oldest order first.
func byAge(a, b order.Order) int {
	if d := a.CreatedAt.Compare(b.CreatedAt); d != 0 {
		return d
	}
	return strings.Compare(string(a.ID), string(b.ID))
}

// pages reads a list to its end.
func pages(
	t *testing.T, read func(cursor string) ([]order.Order, string, error), size int,
) (all []order.Order) {
	t.Helper()
	cursor := ""
	for range 100 {
		page, next, err := read(cursor)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > size || (next != "" && len(page) != size) {
			t.Fatalf("a page of %d orders with next %q; the page size is %d", len(page), next, size)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		cursor = next
	}
	t.Fatal("the list has no end")
	return nil
}

func foreignCursors(t *testing.T, s store) {
	must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	for _, cursor := range []string{"x", "!", "MTIz", "12", "MSB4", "9e9 x", "' OR true --"} {
		if _, _, err := s.Orders(t.Context(), order.Query{Cursor: cursor}); !errors.Is(err, order.ErrCursor) {
			t.Errorf("orders after %q: %v, want order.ErrCursor", cursor, err)
		}
		if _, _, err := s.Unfinished(t.Context(), 0, cursor, 1); !errors.Is(err, order.ErrCursor) {
			t.Errorf("unfinished orders after %q: %v, want order.ErrCursor", cursor, err)
		}
	}
}

func unfinished(t *testing.T, s store) {
	var want []order.Order
	for range 3 {
		want = append(want, must(s.Create(t.Context(), ordertest.NewOrder(1)))(t))
	}
	want = append(want, must(s.Close(t.Context(), ordertest.NewOrder(1).Request(), declined, nil))(t))
	slices.SortFunc(want, byAge)
	done, undone := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t), ordertest.NewOrder(1)
	must(s.Confirm(t.Context(), done.ID, "pi_1", nil))(t)
	must(s.Close(t.Context(), undone.Request(), declined, nil))(t)
	must(s.Finish(t.Context(), undone.ID, nil))(t)

	for _, limit := range []int{1, 2, 4, 5} {
		got := pages(t, func(cursor string) ([]order.Order, string, error) {
			return s.Unfinished(t.Context(), 0, cursor, limit)
		}, limit)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unfinished orders by %d (-want +got):\n%s", limit, diff)
		}
	}
	young, next, err := s.Unfinished(t.Context(), time.Hour, "", 10)
	if err != nil || len(young) != 0 || next != "" {
		t.Errorf("orders younger than an hour are listed as older: %v, %q, %v", young, next, err)
	}
}
