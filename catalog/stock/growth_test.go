package stock_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// A product's document grows with its marks, and an order costs what it asks of the store: neither may depend on how many
// orders the product has had.
func TestAProductWithManyOrdersBehindItCostsWhatANewOneDoes(t *testing.T) {
	t.Parallel()
	const orders, pruneAt = pastOrders, 64
	store := &counting{Store: memorytest.New()}
	for _, id := range []string{"old", "new"} {
		if err := store.CreateProduct(t.Context(), product.Product{ID: id, Stock: 2 * orders}); err != nil {
			t.Fatal(err)
		}
	}
	service := stock.New(store, stock.Options{PruneAt: pruneAt})
	for n := range orders {
		buy(t, service, "old", n)
		if c, err := store.Counters(t.Context(), "old"); err != nil || c.Marks > pruneAt || c.Sold != int64(n+1) {
			t.Fatalf("after order %d: %+v, %v; want at most %d marks", n, c, err, pruneAt)
		}
	}
	if err := service.Prune(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	// Both are sold by services that know nothing yet, for so long that marks are pruned on the way.
	was, is := store.asked(t, "new", orders), store.asked(t, "old", orders)
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("what was asked of the store, and the marks left (-new product +old product):\n%s", diff)
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

// counting counts what is asked of a store.
type counting struct {
	*memorytest.Store
	calls map[string]int
}

// asked sells 100 times through a new service and returns for each order how often each method was called, and how many
// marks the product carried then.
func (c *counting) asked(t *testing.T, productID string, from int) []map[string]int {
	t.Helper()
	service := stock.New(c, stock.Options{})
	var out []map[string]int
	for n := range 100 {
		c.calls = map[string]int{}
		buy(t, service, productID, from+n)
		calls := c.calls
		counters, err := c.Counters(t.Context(), productID)
		if err != nil || calls["Insert"] != 1 {
			t.Fatalf("order %d: %v, %v", n, calls, err)
		}
		calls["marks"] = counters.Marks
		out = append(out, calls)
	}
	return out
}

func (c *counting) count(method string) {
	if c.calls != nil {
		c.calls[method]++
	}
}

func (c *counting) Insert(ctx context.Context, r stock.Reservation) error {
	c.count("Insert")
	return c.Store.Insert(ctx, r)
}

func (c *counting) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	c.count("Reservation")
	return c.Store.Reservation(ctx, id)
}

func (c *counting) Change(ctx context.Context, change stock.Change) (stock.Reservation, bool, error) {
	c.count("Change")
	return c.Store.Change(ctx, change)
}

func (c *counting) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	c.count("Due")
	return c.Store.Due(ctx, q)
}

func (c *counting) States(ctx context.Context, ids []string) (map[string]stock.State, error) {
	c.count("States")
	return c.Store.States(ctx, ids)
}

func (c *counting) View(ctx context.Context, id string, productIDs []string) (map[string]stock.View, error) {
	c.count("View")
	return c.Store.View(ctx, id, productIDs)
}

func (c *counting) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	c.count("Apply")
	return c.Store.Apply(ctx, u)
}

func (c *counting) Marks(ctx context.Context, productID string) (map[string]stock.Mark, error) {
	c.count("Marks")
	return c.Store.Marks(ctx, productID)
}

func (c *counting) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	c.count("Prune")
	return c.Store.Prune(ctx, productID, marks)
}
