package ordertest_test

import (
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	ordertest.Contract(t, func(*testing.T) ordertest.Store { return ordertest.NewMemory(time.Now) })
}

func TestMemoryCatalogKeepsTheContract(t *testing.T) {
	t.Parallel()
	ordertest.CatalogContract(t, func(_ *testing.T, products ...order.Line) ordertest.Shop {
		c := clocktest.At(time.Now())
		return ordertest.Shop{Catalog: ordertest.NewMemoryCatalog(c.Now, products...), Now: c.Now, Advance: c.Advance}
	})
}

func TestMemoryPaymentsKeepTheContract(t *testing.T) {
	t.Parallel()
	ordertest.PaymentsContract(t, ordertest.NewMemoryPayments())
}
