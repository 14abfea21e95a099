package catalog

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga/participant/participanttest"
)

// Reserve and Release are a step and its undo, so they pass the suite for any step.

func TestReservationsKeepTheContractOfAParticipant(t *testing.T) {
	t.Parallel()
	store := memorytest.New()
	body := `{"id": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}, "stock": 1000, "category": "kitchen"}`
	if a := send(t, serve(t, store), "POST", "/products", body); a.status != 201 {
		t.Fatalf("seed: %d", a.status)
	}
	held := func(id order.ID) bool {
		r, err := store.Reservation(context.Background(), string(id))
		return err == nil && slices.Contains(stock.Expiring(), r.State)
	}
	participanttest.Step(t, participant(dial(t, store), held))
}

func TestMemoryReservationsKeepTheContractOfAParticipant(t *testing.T) {
	t.Parallel()
	kettles := order.Line{ProductID: "kettle", Name: "Kettle", Quantity: 1000, Price: money.Money{Amount: 2999, Currency: "EUR"}}
	memory := ordertest.NewMemoryCatalog(func() time.Time { return clock }, kettles)
	held := func(id order.ID) bool { return memory.State(id) == ordertest.Held }
	participanttest.Step(t, participant(memory, held))
}

// participant reserves a kettle for each saga. held reports whether an order holds one.
func participant(catalog sagaCatalog, held func(order.ID) bool) participanttest.Participant {
	of := func(saga string) order.ID { return order.ID(uuid.NewSHA1(uuid.Nil, []byte(saga)).String()) }
	return participanttest.Participant{
		Do: func(ctx context.Context, saga string) (string, error) {
			return "", catalog.Reserve(ctx, of(saga), items(1), clock.Add(time.Hour))
		},
		Undo: func(ctx context.Context, saga string) error { return catalog.Release(ctx, of(saga)) },
		Effects: func(_ context.Context, saga string) (int, error) {
			if held(of(saga)) {
				return 1, nil
			}
			return 0, nil
		},
		Refused: func(err error) bool { return errors.As(err, new(*order.Refusal)) },
	}
}
