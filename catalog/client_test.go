package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ordersaga/catalog/catalogclient"
	"ordersaga/catalog/memory"
	"ordersaga/catalog/stock"
	"ordersaga/catalog/storetest"
	"ordersaga/internal/money"
	"ordersaga/internal/order"
)

// The orders of these tests, as the client names them.
const (
	orderOne order.ID = "00000000-0000-4000-8000-000000000001"
	orderTwo order.ID = "00000000-0000-4000-8000-000000000002"
)

// dial returns a client of the API, over a real connection.
func dial(t *testing.T, store storetest.Store) *catalogclient.Client {
	t.Helper()
	server := httptest.NewServer(serve(store))
	t.Cleanup(server.Close)
	client, err := catalogclient.New(catalogclient.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// kettles returns a store with 3 kettles.
func kettles(t *testing.T) *memory.Store {
	t.Helper()
	store := memory.New()
	body := `{"id": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}, "stock": 3, "category": "kitchen"}`
	if a := send(t, serve(store), "POST", "/products", body); a.status != 201 {
		t.Fatalf("seed: %d", a.status)
	}
	return store
}

func items(quantity int) []order.Item { return []order.Item{{ProductID: "kettle", Quantity: quantity}} }

// refused checks that err is a refusal for a cause; messages are for people.
func refused(t *testing.T, what string, err error, want order.Cause) {
	t.Helper()
	var r *order.Refusal
	if !errors.As(err, &r) {
		t.Errorf("%s: %v, want a refusal", what, err)
		return
	}
	got := r.Cause
	got.Message = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestClientSpeaksTheOrdersLanguage(t *testing.T) {
	t.Parallel()
	ctx, c, in := t.Context(), dial(t, kettles(t)), clock.Add(time.Hour)

	lines, err := c.PriceItems(ctx, append(items(2), items(1)...))
	price := money.Money{Amount: 2999, Currency: "EUR"}
	want := []order.Line{
		{ProductID: "kettle", Name: "Kettle", Quantity: 2, Price: price}, {ProductID: "kettle", Name: "Kettle", Quantity: 1, Price: price},
	}
	if diff := cmp.Diff(want, lines); diff != "" || err != nil {
		t.Errorf("prices: %v (-want +got):\n%s", err, diff)
	}
	_, err = c.PriceItems(ctx, []order.Item{{ProductID: "ghost", Quantity: 1}, {ProductID: "kettle", Quantity: 1}})
	refused(t, "unknown product", err, order.Cause{Reason: order.ProductNotFound, ProductIDs: []string{"ghost"}})

	for _, step := range []error{
		c.Reserve(ctx, orderOne, items(2), in), c.Reserve(ctx, orderOne, items(2), in),
		c.Commit(ctx, orderOne), c.Commit(ctx, orderOne),
	} {
		if step != nil {
			t.Errorf("reserve and commit, twice each: %v", step)
		}
	}
	refused(t, "short", c.Reserve(ctx, orderTwo, items(2), in), order.Cause{
		Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "kettle", Requested: 2, Available: 1}},
	})
	for range 2 {
		if err := c.Release(ctx, orderOne); err != nil {
			t.Errorf("release: %v", err)
		}
	}
	refused(t, "reserve after release", c.Reserve(ctx, orderOne, items(2), in), order.Cause{Reason: order.ReservationLost})
	refused(t, "commit after release", c.Commit(ctx, orderOne), order.Cause{Reason: order.ReservationLost})
}

func TestClientReleasesTheUnknownForGood(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), dial(t, kettles(t))
	refused(t, "commit of nothing", c.Commit(ctx, orderOne), order.Cause{Reason: order.ReservationLost})
	if err := c.Release(ctx, orderOne); err != nil {
		t.Fatal(err)
	}
	refused(t, "late reserve", c.Reserve(ctx, orderOne, items(1), clock.Add(time.Hour)), order.Cause{Reason: order.ReservationLost})
}

func TestOtherLinesForTheSameOrderAreAMistakeAndNoRefusal(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), dial(t, kettles(t))
	if err := c.Reserve(ctx, orderOne, items(1), clock.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	err := c.Reserve(ctx, orderOne, items(2), clock.Add(time.Hour))
	if err == nil || errors.As(err, new(*order.Refusal)) {
		t.Errorf("error %v, want one that is not a refusal", err)
	}
}

// down is a store whose server does not answer.
type down struct{ *memory.Store }

func (down) Insert(context.Context, stock.Reservation) error { return errDown }

func TestStoreThatDoesNotAnswerIsToldWithoutItsText(t *testing.T) {
	t.Parallel()
	store := down{kettles(t)}
	want(t, "reserve", send(t, serve(store), "PUT", one, hold(`[{"productId": "kettle", "quantity": 1}]`)), 503,
		`{"type": "/problems/store-unavailable"}`)
	err := dial(t, store).Reserve(t.Context(), orderOne, items(1), clock.Add(time.Hour))
	var unavailable *catalogclient.Unavailable
	if !errors.As(err, &unavailable) || unavailable.RetryDelay() != time.Second {
		t.Errorf("client: %v, want to come back in 1 s", err)
	}
}
