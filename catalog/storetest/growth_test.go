package storetest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// The size of a product's document and the number of store operations of an order must not depend on how many orders the
// product has had.
func TestAnOrderOfAnOldProductCostsAsMuchAsOneOfANewProduct(t *testing.T) {
	t.Parallel()
	const orders, pruneAt = pastOrders, 64
	store := newCounting(t, 2*orders, "old", "new")
	service := stock.New(store, stock.Options{PruneAt: pruneAt})
	for n := range orders {
		buy(t, service, "old", n)
		found, err := store.Snapshots(t.Context(), []string{"old"})
		if c := found["old"]; err != nil || len(c.Marks) > pruneAt || c.Available != int64(2*orders-n-1) {
			t.Fatalf("after order %d: %+v, %v; want at most %d marks", n, c, err, pruneAt)
		}
	}
	if err := service.Prune(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	// Both are sold by services with empty caches, long enough for marks to be pruned on the way.
	was, is := store.calls100(t, "new", orders), store.calls100(t, "old", orders)
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("store operations, and the marks left (-new product +old product):\n%s", diff)
	}
}

// An order takes an insert, a take, and the changes to HELD and to SOLD. What the first order reads of the product, and a
// pruning with the read after it, are shared by many orders.
func TestAnOrderCostsAtMostFiveStoreOperations(t *testing.T) {
	t.Parallel()
	store := newCounting(t, 1000, "lamp")
	total, plain := 0, 0
	for _, calls := range store.calls100(t, "lamp", 0) {
		delete(calls, "marks")
		for _, times := range calls {
			total += times
		}
		if cmp.Equal(map[string]int{"Insert": 1, "Apply": 1, "Change": 2}, calls) {
			plain++
		}
	}
	if total > 410 || plain < 97 {
		t.Errorf("100 orders took %d store operations, %d of them just four; want at most 410, and 97", total, plain)
	}
}

// A return reads the reservation and its products, is admitted, changes each of its products, and ends.
func TestAReturnCostsFourStoreOperationsAndOneForEachProduct(t *testing.T) {
	t.Parallel()
	store := newCounting(t, 1000, "kettle", "lamp", "chair")
	service := stock.New(store, stock.Options{})
	lines := []stock.Line{{ProductID: "kettle", Quantity: 3}, {ProductID: "lamp", Quantity: 3}, {ProductID: "chair", Quantity: 3}}
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", lines, time.Now().Add(time.Hour)))
	must[stock.Reservation](t)(service.Commit(t.Context(), "o1"))
	back := []stock.ReturnLine{{ProductID: "kettle", Quantity: 1}, {ProductID: "lamp", Quantity: 1}}
	for n := range 2 {
		store.calls = map[string]int{}
		must[stock.Reservation](t)(service.Return(t.Context(), "o1", fmt.Sprint("r", n), back))
		equal(t, "store operations", store.calls, map[string]int{"Reservation": 1, "View": 1, "Change": 2, "Apply": 2})
	}
}

func buy(t *testing.T, service *stock.Service, productID string, n int) {
	t.Helper()
	id := fmt.Sprintf("%s-%d", productID, n)
	_, err := service.Reserve(t.Context(), id, []stock.Line{{ProductID: productID, Quantity: 1}}, time.Now().Add(time.Hour))
	if err == nil {
		_, err = service.Commit(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// counting counts the operations of a store, by method.
type counting struct {
	watched
	calls map[string]int
}

// newCounting returns a store with some products.
func newCounting(t *testing.T, units int64, products ...string) *counting {
	t.Helper()
	store := memorytest.New()
	for _, id := range products {
		if err := store.CreateProduct(t.Context(), product.Product{ID: id, Stock: units}); err != nil {
			t.Fatal(err)
		}
	}
	c := &counting{calls: map[string]int{}}
	c.watched = watched{store, c.count}
	return c
}

func (c *counting) count(ctx context.Context, operation string, call func(context.Context) error) error {
	method, _, _ := strings.Cut(operation, " ")
	c.calls[method]++
	return call(ctx)
}

// calls100 sells 100 times through a new service. It returns for each order how often each method was called, and how many
// marks the product had after it.
func (c *counting) calls100(t *testing.T, productID string, from int) []map[string]int {
	t.Helper()
	service := stock.New(c, stock.Options{})
	var out []map[string]int
	for n := range 100 {
		c.calls = map[string]int{}
		buy(t, service, productID, from+n)
		calls := maps.Clone(c.calls)
		found, err := c.Snapshots(t.Context(), []string{productID})
		if err != nil || calls["Insert"] != 1 {
			t.Fatalf("order %d: %v, %v", n, calls, err)
		}
		calls["marks"] = len(found[productID].Marks)
		out = append(out, calls)
	}
	return out
}
