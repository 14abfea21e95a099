package postgres_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
)

// Metrics count transitions. A step that runs again, because its worker died, must not count again.
func TestEachTransitionIsToldOnceHoweverOftenItIsRepeated(t *testing.T) {
	t.Parallel()
	pool, _ := counted(t)
	s := postgres.NewOrders(pool)
	var told []string
	s.Changed = func(_ context.Context, o order.Order) {
		what := string(o.Status)
		if o.Closing {
			what += " closing"
		}
		told = append(told, what)
	}
	confirmed, undone := ordertest.NewOrder(1), ordertest.NewOrder(1)
	cause, ctx := order.Cause{Reason: order.CancelledByUser}, t.Context()
	for range 2 {
		for _, call := range []func() (order.Order, error){
			func() (order.Order, error) { return s.Create(ctx, confirmed) },
			func() (order.Order, error) { return s.Confirm(ctx, confirmed.ID, "pi", nil) },
			func() (order.Order, error) { return s.Close(ctx, undone.Request(), cause, nil) },
			func() (order.Order, error) { return s.Finish(ctx, undone.ID, nil) },
			func() (order.Order, error) { return s.Close(ctx, confirmed.Request(), cause, nil) }, // too late
		} {
			if _, err := call(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []string{"PENDING", "CONFIRMED", "PENDING closing", "CANCELLED closing"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestPendingOrdersAreCountedWithTheAgeOfTheOldest(t *testing.T) {
	t.Parallel()
	pool, _ := counted(t)
	s := postgres.NewOrders(pool)
	pending := func(want int64) time.Duration {
		t.Helper()
		n, age, err := s.Pending(t.Context())
		if err != nil || n != want {
			t.Fatalf("%d pending orders, %v; want %d", n, err, want)
		}
		return age
	}
	if age := pending(0); age != 0 {
		t.Errorf("without an order the oldest is %s old", age)
	}
	for range 2 {
		if _, err := s.Create(t.Context(), ordertest.NewOrder(1)); err != nil {
			t.Fatal(err)
		}
	}
	first := pending(2)
	if later := pending(2); first < 0 || later <= first || later > time.Hour {
		t.Errorf("the oldest is %s old, then %s", first, later)
	}
}
