package ordertest_test

import (
	"sync"
	"testing"
	"time"

	"ordersaga/internal/order"
	"ordersaga/internal/order/ordertest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	ordertest.Contract(t, func(*testing.T) ordertest.Store { return ordertest.NewMemory(time.Now) })
}

func TestMemoryCatalogKeepsTheContract(t *testing.T) {
	t.Parallel()
	ordertest.CatalogContract(t, func(_ *testing.T, products ...order.Line) ordertest.Shop {
		c := &clock{now: time.Now()}
		return ordertest.Shop{Catalog: ordertest.NewMemoryCatalog(c.Now, products...), Now: c.Now, Advance: c.Advance}
	})
}

func TestMemoryPaymentsKeepTheContract(t *testing.T) {
	t.Parallel()
	ordertest.PaymentsContract(t, ordertest.NewMemoryPayments())
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
