package catalogadapter_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/catalogadapter"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The refusals are tested with the real server, in package catalog.

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLinesKeepTheOrderOfItemsAndMarkPricesFromMemory(t *testing.T) {
	t.Parallel()
	const body = `{"prices": [{"productId": "lamp", "name": "Lamp", "price": {"amount": 500, "currency": "EUR"}},
		{"productId": "chair", "name": "Chair", "price": {"amount": 900, "currency": "EUR"}}]}`
	down := false
	client, err := catalogclient.New(catalogclient.Options{
		BaseURL: "http://catalog.test", Log: slog.New(slog.DiscardHandler),
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if down {
				return nil, errors.New("connection refused")
			}
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	catalog := catalogadapter.New(client)
	items := []order.Item{{ProductID: "lamp", Quantity: 2}, {ProductID: "chair", Quantity: 1}, {ProductID: "lamp", Quantity: 3}}
	euros := func(cents int64) money.Money { return money.Money{Amount: cents, Currency: "EUR"} }
	want := []order.Line{
		{ProductID: "lamp", Name: "Lamp", Quantity: 2, Price: euros(500)},
		{ProductID: "chair", Name: "Chair", Quantity: 1, Price: euros(900)},
		{ProductID: "lamp", Name: "Lamp", Quantity: 3, Price: euros(500)},
	}
	got, err := catalog.PriceItems(t.Context(), items)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("from the catalog: %v (-want +got):\n%s", err, diff)
	}
	down = true
	got, err = catalog.PriceItems(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].PriceSeen.IsZero() {
			t.Errorf("line %d does not say that its price is from memory", i)
		}
		want[i].PriceSeen = got[i].PriceSeen
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("from memory (-want +got):\n%s", diff)
	}
}
