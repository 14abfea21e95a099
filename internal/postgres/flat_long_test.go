//go:build long

package postgres_test

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// maxBuffers bounds the buffers (of 8 KiB) that a page of 20 orders with their lines and books may touch, whatever its filter
// and however many orders there are.
const maxBuffers = 700

// newest is the time of the newest made-up order; the others are older, by one second each.
var newest = time.Date(2026, 5, 17, 8, 0, 0, 0, time.UTC)

// A page touches a bounded part of the database with ten thousand orders and with a million, wherever it is in the list,
// and even for a user who has half of all orders.
func TestListsAreFlat(t *testing.T) {
	for _, n := range []int{10_000, 1_000_000} {
		pool, last := tracedPool(t)
		madeUpOrders(t, pool, n)
		orders := postgres.NewOrders(pool)
		middle := newest.Add(-time.Duration(n/2) * time.Second)
		deep := order.Query{To: middle}
		for name, q := range filters(middle) {
			buffersOf(t, pool, orders, last, n, name, q)
			deep.Limit = 1
			_, cursor, err := orders.Orders(t.Context(), deep)
			if err != nil || cursor == "" {
				t.Fatalf("no cursor in the middle: %v", err)
			}
			q.Cursor = cursor
			buffersOf(t, pool, orders, last, n, name+", deep", q)
		}
	}
}

// filters are all combinations of user, product, status and time.
func filters(middle time.Time) map[string]order.Query {
	all := map[string]order.Query{}
	for user, id := range map[string]int64{"": 0, " user": 7, " busy user": busy} {
		for product, productID := range map[string]string{"": "", " product": "p7"} {
			for _, status := range []order.Status{"", order.Confirmed, order.Failed, order.Pending} {
				q := order.Query{UserID: id, ProductID: productID, Status: status}
				name := strings.TrimSpace(user + product + " " + string(status))
				all[cmp.Or(name, "none")] = q
				q.To = middle
				all[strings.TrimSpace(name+" range")] = q
			}
		}
	}
	return all
}

// buffersOf reads a page and checks how many buffers its query touches.
func buffersOf(
	t *testing.T, pool *pgxpool.Pool, orders *postgres.Orders, last *lastQuery, n int, name string, q order.Query,
) {
	t.Helper()
	page, _, err := orders.Orders(t.Context(), q)
	if err != nil {
		t.Fatalf("%d orders, %s: %v", n, name, err)
	}
	explain := "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + last.sql
	var raw []byte
	if err := pool.QueryRow(t.Context(), explain, last.args...).Scan(&raw); err != nil {
		t.Fatalf("%d orders, %s: explain: %v", n, name, err)
	}
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	if err := json.Unmarshal(raw, &plans); err != nil {
		t.Fatal(err)
	}
	touched := plans[0].Plan.Hit + plans[0].Plan.Read
	t.Logf("%d orders, %s: %d buffers for %d orders", n, name, touched, len(page))
	if touched > maxBuffers {
		t.Errorf("%d orders, %s: a page touches %d buffers, want at most %d", n, name, touched, maxBuffers)
	}
}

// lastQuery keeps the last query for EXPLAIN.
type lastQuery struct {
	sql  string
	args []any
}

func (q *lastQuery) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q.sql, q.args = data.SQL, data.Args
	return ctx
}

func (*lastQuery) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func tracedPool(t *testing.T) (*pgxpool.Pool, *lastQuery) {
	t.Helper()
	url := servicestest.Postgres(t)
	if err := postgres.Migrate(t.Context(), open(t, url)); err != nil {
		t.Fatal(err)
	}
	last := &lastQuery{}
	return openWith(t, url, func(c *pgxpool.Config) { c.ConnConfig.Tracer = last }), last
}

// busy is the user with every second order.
const busy = 1

// madeUpOrders inserts n orders of one line: half are one user's and each other user has 200; each product is in 1 of 100
// and 1 in 50 is FAILED, at random; the oldest is PENDING and the rest CONFIRMED. All that are CONFIRMED were shipped, and 1
// in 10 came back.
func madeUpOrders(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	// The guards of the books look at each row by itself, which is slow for so many.
	if _, err := pool.Exec(t.Context(), `ALTER TABLE shipments DISABLE TRIGGER guard_shipping;
		ALTER TABLE refunds DISABLE TRIGGER guard_booking`); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO orders (id, user_id, status, closing, cause, ends_as, total_amount, total_currency,
			payment_method, payment_id, request_hash, created_at, updated_at)
		SELECT gen_random_uuid(), CASE WHEN i % 2 = 0 THEN 1 ELSE 2 + i % ($1::int / 200) END,
			CASE WHEN i = $1 - 1 THEN 'PENDING' WHEN failed THEN 'FAILED' ELSE 'CONFIRMED' END, failed,
			CASE WHEN failed THEN '{"reason": "PAYMENT_DECLINED"}'::jsonb END, CASE WHEN failed THEN 'FAILED' END, 100, 'USD',
			'pm_card_visa', CASE WHEN NOT failed AND i < $1 - 1 THEN 'pi' END, 'h', at, at
		FROM generate_series(0, $1::int - 1) i, LATERAL (
			SELECT hashint4(i) % 50 = 0 AND i < $1 - 1 AS failed, $2::timestamptz - i * interval '1 s' AS at) made`,
		`INSERT INTO order_lines (order_id, user_id, status, position, product_id, quantity, price_amount, price_currency,
			ordered_at)
		SELECT id, user_id, status, 1, 'p' || abs(hashtext(id::text) % 100), 1, 100, 'USD', created_at FROM orders
		WHERE $1::int > 0 AND $2::timestamptz IS NOT NULL`,
		`WITH shipped AS (
			INSERT INTO shipments (id, order_id, status, request_hash, shipped_at, updated_at)
			SELECT gen_random_uuid(), id, 'SHIPPED', 'h', $2::timestamptz, $2::timestamptz FROM orders
			WHERE status = 'CONFIRMED' AND $1::int > 0 RETURNING id, order_id
		) INSERT INTO shipment_lines (shipment_id, order_id, position, quantity) SELECT id, order_id, 1, 1 FROM shipped`,
		`WITH refunded AS (
			INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, units, request_hash, created_at,
				updated_at)
			SELECT gen_random_uuid(), id, 'RETURN', 'OPERATOR', 'GATEWAY', 100, 'USD', 'BOOKED', 'DUE', 'h', $2::timestamptz,
				$2::timestamptz
			FROM orders WHERE status = 'CONFIRMED' AND hashtext(id::text) % 10 = 0 AND $1::int > 0 RETURNING id, order_id
		) INSERT INTO refund_lines (refund_id, order_id, position, quantity, restock, value)
		SELECT id, order_id, 1, 1, 1, 100 FROM refunded`,
	} {
		if _, err := pool.Exec(t.Context(), statement, n, newest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE orders, order_lines, shipments, shipment_lines, refunds, refund_lines"); err != nil {
		t.Fatal(err)
	}
}
