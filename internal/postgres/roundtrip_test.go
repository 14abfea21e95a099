package postgres_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// Round trips are what an order costs here: each transition must be one, including its lines, its timeline entries and
// the resulting order.
func TestEveryTransitionIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	pool, trips := counted(t)
	s := postgres.NewOrders(pool)
	ctx := t.Context()
	cause := order.Cause{Reason: order.CancelledByUser}
	entries := []order.Entry{{Type: order.EntryStepDone, Step: "ReserveStock"}}
	calls := []struct {
		name string
		call func(confirmed, undone order.Order) (order.Order, error)
	}{
		{"create", func(o, _ order.Order) (order.Order, error) { return s.Create(ctx, o) }},
		{"confirm", func(o, _ order.Order) (order.Order, error) { return s.Confirm(ctx, o.ID, "pi", entries) }},
		{"close", func(_, o order.Order) (order.Order, error) {
			return s.Close(ctx, o.Request(), cause, entries)
		}},
		{"finish", func(_, o order.Order) (order.Order, error) { return s.Finish(ctx, o.ID, entries) }},
		{"read", func(o, _ order.Order) (order.Order, error) { return s.Order(ctx, o.ID) }},
	}
	for _, warm := range []bool{false, true} { // a connection learns each statement once
		confirmed, undone := ordertest.NewOrder(1), ordertest.NewOrder(1)
		for _, c := range calls {
			before := trips.Load()
			if _, err := c.call(confirmed, undone); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if n := trips.Load() - before; warm && n != 1 {
				t.Errorf("%s takes %d round trips, want 1", c.name, n)
			}
		}
	}
}

// counted returns a pool of one connection to a migrated database, and its number of round trips: how often it sent
// after it had received.
func counted(t *testing.T) (*pgxpool.Pool, *atomic.Int64) {
	t.Helper()
	url := servicestest.Postgres(t)
	if err := postgres.Migrate(t.Context(), open(t, url)); err != nil {
		t.Fatal(err)
	}
	var trips atomic.Int64
	return openWith(t, url, func(c *pgxpool.Config) {
		c.MaxConns = 1
		c.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
		c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, addr)
			return &countingConn{Conn: conn, trips: &trips}, err
		}
	}), &trips
}

type countingConn struct {
	net.Conn
	trips   *atomic.Int64
	sending atomic.Bool
}

func (c *countingConn) Write(b []byte) (int, error) {
	if c.sending.CompareAndSwap(false, true) {
		c.trips.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.sending.Store(false)
	return n, err
}
