package catalog

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The orders of these tests, as activities name them.
const (
	orderOne order.ID = "00000000-0000-4000-8000-000000000001"
	orderTwo order.ID = "00000000-0000-4000-8000-000000000002"
)

// dial returns the catalog as activities see it, over a real connection.
func dial(t *testing.T, store storetest.Store) *catalogadapter.Catalog {
	t.Helper()
	return dialAt(t, store, func() time.Time { return clock })
}

func dialAt(t *testing.T, store storetest.Store, now func() time.Time) *catalogadapter.Catalog {
	t.Helper()
	server := httptest.NewServer(serveAt(t, store, now, noTokens))
	t.Cleanup(server.Close)
	return newClient(t, server.URL)
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

func TestAStoreThatIsDownIsReportedWithoutItsErrorText(t *testing.T) {
	t.Parallel()
	store := down{kettles(t)}
	want(t, "reserve", send(t, serve(t, store), "PUT", one, hold(`[{"productId": "kettle", "quantity": 1}]`)), 503,
		`{"type": "/problems/store-unavailable"}`)
	err := dial(t, store).Reserve(t.Context(), orderOne, items(1), clock.Add(time.Hour))
	var unavailable *catalogclient.Unavailable
	if !errors.As(err, &unavailable) || unavailable.RetryDelay() != time.Second {
		t.Errorf("client: %v, want to try again in 1 s", err)
	}
}
