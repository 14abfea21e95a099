package postgres_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
)

// BenchmarkOrder does what an undisturbed order needs of the database: it creates and confirms orders, one at a time.
func BenchmarkOrder(b *testing.B) {
	orders := postgres.NewOrders(migrated(b))
	for b.Loop() {
		o := ordertest.NewOrder(1)
		if _, err := orders.Create(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		if _, err := orders.Confirm(b.Context(), o.ID, "pi", nil); err != nil {
			b.Fatal(err)
		}
	}
}
