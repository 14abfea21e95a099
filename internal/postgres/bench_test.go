package postgres_test

import (
	"testing"

	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
)

// BenchmarkOrder is what an undisturbed order asks of the database: created and confirmed, one after the other.
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
