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

// What happens to a confirmed order costs one round trip as well, with the lock that comes first.
func TestEveryTransitionOfTheBooksIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	pool, trips := counted(t)
	b, ctx := booksIn(pool), t.Context()
	for _, warm := range []bool{false, true} {
		o := sold(t, b)
		asked, fenced, parcel := request(o, order.Return, units(1, 1)), goodwill(o, 1), shipment(o, 1, 1)
		found := order.GatewayRefund{ID: "re_" + string(o.ID), PaymentID: o.PaymentID, Status: order.RefundPending, Amount: usd(1)}
		for _, c := range []struct {
			name string
			call func() (any, error)
		}{
			{"ship", func() (any, error) { return b.shipments.Ship(ctx, parcel) }},
			{"deliver", func() (any, error) { return b.shipments.Arrive(ctx, parcel.ID, order.Delivered) }},
			{"finish a shipment", func() (any, error) { return b.shipments.FinishShipment(ctx, parcel.ID, 2) }},
			{"read a shipment", func() (any, error) { return b.shipments.Shipment(ctx, parcel.ID) }},
			{"book", func() (any, error) { return b.refunds.Book(ctx, asked) }},
			{"fence", func() (any, error) { return b.refunds.Fence(ctx, fenced, withdrawn) }},
			{"settle", func() (any, error) {
				return b.refunds.Settle(ctx, asked.ID, order.RefundOutcome{Status: order.RefundPending})
			}},
			{"return units", func() (any, error) { return b.refunds.ReturnedUnits(ctx, asked.ID, order.UnitsDone) }},
			{"finish", func() (any, error) { return b.refunds.Finish(ctx, asked.ID, 3) }},
			{"book outside", func() (any, error) { return b.refunds.BookOutside(ctx, o.ID, found) }},
			{"note a dispute", func() (any, error) { return nil, b.refunds.NoteDispute(ctx, disputeOf(o, "dp_"+string(o.ID))) }},
			{"look", func() (any, error) { return nil, b.refunds.Looked(ctx, asked.ID) }},
			{"read", func() (any, error) { return b.refunds.Refund(ctx, asked.ID) }},
			{"read the order", func() (any, error) { return b.Order(ctx, o.ID) }},
		} {
			before := trips.Load()
			if _, err := c.call(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if n := trips.Load() - before; warm && n != 1 {
				t.Errorf("%s takes %d round trips, want 1", c.name, n)
			}
		}
		if r := must(b.refunds.Refund(ctx, asked.ID))(t); !r.Settled {
			t.Errorf("the refund has not gone through all of it: %+v", r)
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
