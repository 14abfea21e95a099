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

// The size of a product's document and the number of store operations of an order must not depend on how many orders the
// product has had.
func TestAnOrderOfAnOldProductCostsAsMuchAsOneOfANewProduct(t *testing.T) {
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
	store := &counting{Store: memorytest.New()}
	if err := store.CreateProduct(t.Context(), product.Product{ID: "lamp", Stock: 1000}); err != nil {
		t.Fatal(err)
	}
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

// counting counts the operations of a store.
type counting struct {
	*memorytest.Store
	calls map[string]int
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
		calls := c.calls
		c.calls = nil
		found, err := c.Snapshots(t.Context(), []string{productID})
		if err != nil || calls["Insert"] != 1 {
			t.Fatalf("order %d: %v, %v", n, calls, err)
		}
		calls["marks"] = len(found[productID].Marks)
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

func (c *counting) FinalMarks(ctx context.Context, owners []string) (map[string]stock.Mark, error) {
	c.count("FinalMarks")
	return c.Store.FinalMarks(ctx, owners)
}

func (c *counting) View(ctx context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	c.count("View")
	return c.Store.View(ctx, owner, productIDs)
}

func (c *counting) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	c.count("Apply")
	return c.Store.Apply(ctx, u)
}

func (c *counting) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	c.count("Prune")
	return c.Store.Prune(ctx, productID, marks)
}

func (c *counting) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	c.count("Snapshots")
	return c.Store.Snapshots(ctx, productIDs)
}
