package catalog

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	testclock "github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

// The orders of these tests, as the client names them.
const (
	orderOne order.ID = "00000000-0000-4000-8000-000000000001"
	orderTwo order.ID = "00000000-0000-4000-8000-000000000002"
)

// dial returns a client of the API, over a real connection.
func dial(t *testing.T, store storetest.Store) *catalogclient.Client {
	t.Helper()
	return dialAt(t, store, func() time.Time { return clock })
}

func dialAt(t *testing.T, store storetest.Store, now func() time.Time) *catalogclient.Client {
	t.Helper()
	server := httptest.NewServer(serveAt(t, store, now, byNobody))
	t.Cleanup(server.Close)
	client, err := catalogclient.New(catalogclient.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// kettles returns a store with 3 kettles.
func kettles(t *testing.T) *memorytest.Store {
	t.Helper()
	store := memorytest.New()
	body := `{"id": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}, "stock": 3, "category": "kitchen"}`
	if a := send(t, serve(t, store), "POST", "/products", body); a.status != 201 {
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
	ordertest.CatalogContract(t, func(t *testing.T, products ...order.Line) ordertest.Shop {
		store, now := memorytest.New(), testclock.At(clock)
		for _, p := range products {
			body := fmt.Sprintf(`{"id": %q, "name": %q, "price": {"amount": %d, "currency": %q}, "stock": %d, "category": "kitchen"}`,
				p.ProductID, p.Name, p.Price.Amount, p.Price.Currency, p.Quantity)
			if a := send(t, serve(t, store), "POST", "/products", body); a.status != 201 {
				t.Fatalf("seed: %d", a.status)
			}
		}
		return ordertest.Shop{Catalog: dialAt(t, store, now.Now), Now: now.Now, Advance: now.Advance}
	})
}

func TestStoreThatDoesNotAnswerIsToldWithoutItsText(t *testing.T) {
	t.Parallel()
	store := down{kettles(t)}
	want(t, "reserve", send(t, serve(t, store), "PUT", one, hold(`[{"productId": "kettle", "quantity": 1}]`)), 503,
		`{"type": "/problems/store-unavailable"}`)
	err := dial(t, store).Reserve(t.Context(), orderOne, items(1), clock.Add(time.Hour))
	var unavailable *catalogclient.Unavailable
	if !errors.As(err, &unavailable) || unavailable.RetryDelay() != time.Second {
		t.Errorf("client: %v, want to come back in 1 s", err)
	}
}
