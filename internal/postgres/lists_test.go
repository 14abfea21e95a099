package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// beforeLists is the schema's last version in which lines did not have their order's user and status.
const beforeLists = 3

// Orders that are older than the lists are listed, and so is what a worker of before writes while it ends its sagas.
func TestOrdersOfBeforeAreListed(t *testing.T) {
	t.Parallel()
	pool := open(t, servicestest.Postgres(t))
	schema := migrations(t, pool)
	if _, err := schema.UpTo(t.Context(), beforeLists); err != nil {
		t.Fatal(err)
	}
	orders := postgres.NewOrders(pool)
	old := createAsBefore(t, pool)
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	wantListed(t, orders, order.Pending, old)
	late := createAsBefore(t, pool)
	wantListed(t, orders, order.Pending, late, old)
	if _, err := orders.Confirm(t.Context(), old, "pi", nil); err != nil {
		t.Fatal(err)
	}
	wantListed(t, orders, order.Confirmed, old)
	wantListed(t, orders, order.Pending, late)

	if _, err := schema.DownTo(t.Context(), beforeLists); err != nil {
		t.Fatal(err)
	}
	createAsBefore(t, pool)
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	wantListed(t, orders, order.Confirmed, old)
}

func migrations(t *testing.T, pool *pgxpool.Pool) *goose.Provider {
	t.Helper()
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	p, err := goose.NewProvider(goose.DialectPostgres, db, postgres.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// createAsBefore stores an order of user 7 with two lines of tea, by the statement of then.
func createAsBefore(t *testing.T, pool *pgxpool.Pool) order.ID {
	t.Helper()
	id := uuid.NewString()
	if _, err := pool.Exec(t.Context(), `
WITH changed AS (
	INSERT INTO orders (id, user_id, status, payment_method, request_hash, total_amount, total_currency)
	VALUES ($1, 7, 'PENDING', 'pm_card_visa', 'h', 200, 'USD')
	RETURNING id
)
INSERT INTO order_lines (order_id, position, product_id, quantity, price_amount, price_currency)
SELECT id, position, 'tea', 1, 100, 'USD' FROM changed, generate_series(1, 2) AS position`, id); err != nil {
		t.Fatal(err)
	}
	return order.ID(id)
}

// wantListed compares the orders of user 7 with tea that have a status, newest first.
func wantListed(t *testing.T, orders *postgres.Orders, status order.Status, want ...order.ID) {
	t.Helper()
	for _, q := range []order.Query{
		{ProductID: "tea", Status: status}, {ProductID: "tea", UserID: 7, Status: status}, {UserID: 7, Status: status},
	} {
		listed, _, err := orders.Orders(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []order.ID
		for _, o := range listed {
			got = append(got, o.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", q, diff)
		}
	}
}
