package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

var _ activities.Orders = (*postgres.Orders)(nil)

// migrated returns a pool on a new database with the orders' schema.
func migrated(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool := open(t, servicestest.Postgres(t))
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// migratedIn is migrated with a way of sending statements.
func migratedIn(t testing.TB, mode string) *pgxpool.Pool {
	t.Helper()
	pool := open(t, servicestest.InExecMode(servicestest.Postgres(t), mode))
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// openWith returns a pool whose configuration the caller changes first.
func openWith(t testing.TB, url string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	change(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgdb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db.Pool
}
