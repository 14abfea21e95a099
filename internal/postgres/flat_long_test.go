//go:build long

package postgres_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ordersaga/internal/order"
	"ordersaga/internal/postgres"
	"ordersaga/internal/testenv"
)

// How many buffers (of 8 KiB) a page of 20 orders may touch, however many orders there are. A page of a user and a product
// passes over the orders of the user, of whom each has a hundred here.
const (
	maxBuffers       = 300
	maxBuffersOfUser = 600
)

// newest is when the last of the made-up orders came in; the others came before it, one a second.
var newest = time.Date(2026, 5, 17, 8, 0, 0, 0, time.UTC)

// A page of a list touches no more than a bounded part of the database, at ten thousand orders and at a million. That is
// not so of a product's orders of a rare status, which are looked for among all orders of the product: their figures are
// logged, and docs/performance.md tells them.
func TestListsAreFlat(t *testing.T) {
	for _, n := range []int{10_000, 1_000_000} {
		pool, last := tracedPool(t)
		madeUpOrders(t, pool, n)
		orders := postgres.NewOrders(pool)
		middle := newest.Add(-time.Duration(n/2) * time.Second)
		deep := order.Query{To: middle}
		for name, q := range map[string]order.Query{
			"none": {}, "user": {UserID: 7}, "product": {ProductID: "p7"}, "created range": {From: middle.Add(-time.Hour), To: middle},
			"status, most": {Status: order.Confirmed}, "status, few": {Status: order.Failed},
			"user+status": {UserID: 7, Status: order.Failed}, "user+range": {UserID: 7, To: middle},
			"status+range": {Status: order.Failed, To: middle}, "product+range": {ProductID: "p7", To: middle},
			"product+status": {ProductID: "p7", Status: order.Confirmed}, "product+few": {ProductID: "p7", Status: order.Failed},
			"user+product": {UserID: 7, ProductID: "p7"}, "all": {UserID: 7, ProductID: "p7", Status: order.Confirmed, To: newest},
		} {
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

// buffersOf reads a page and says what its query touches.
func buffersOf(t *testing.T, pool *pgxpool.Pool, orders *postgres.Orders, last *lastQuery, n int, name string, q order.Query) {
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
	most := maxBuffers
	switch {
	case q.ProductID != "" && q.Status == order.Failed:
		return // not flat
	case q.ProductID != "" && q.UserID != 0:
		most = maxBuffersOfUser
	}
	if touched > most {
		t.Errorf("%d orders, %s: a page touches %d buffers, want at most %d", n, name, touched, most)
	}
}

// lastQuery remembers the last query, so that it can be explained.
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
	url := testenv.Postgres(t)
	if err := postgres.Migrate(t.Context(), open(t, url)); err != nil {
		t.Fatal(err)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	last := &lastQuery{}
	config.ConnConfig.Tracer = last
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, last
}

// madeUpOrders makes n orders of one line: 100 of each user, 1 in 100 of each product, 1 in 50 FAILED and the rest
// CONFIRMED, each of these by chance.
func madeUpOrders(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO orders (id, user_id, status, closing, cause, ends_as, total_amount, total_currency,
			payment_method, payment_id, request_hash, created_at, updated_at)
		SELECT gen_random_uuid(), 1 + i % ($1::int / 100), CASE WHEN failed THEN 'FAILED' ELSE 'CONFIRMED' END, failed,
			CASE WHEN failed THEN '{"reason": "PAYMENT_DECLINED"}'::jsonb END, CASE WHEN failed THEN 'FAILED' END, 100, 'USD',
			'pm_card_visa', CASE WHEN NOT failed THEN 'pi' END, 'h', at, at
		FROM generate_series(0, $1::int - 1) i, LATERAL (
			SELECT hashint4(i) % 50 = 0 AS failed, $2::timestamptz - i * interval '1 s' AS at) made`,
		`INSERT INTO order_lines (order_id, position, product_id, quantity, price_amount, price_currency, ordered_at)
		SELECT id, 1, 'p' || abs(hashtext(id::text) % 100), 1, 100, 'USD', created_at FROM orders
		WHERE $1::int > 0 AND $2::timestamptz IS NOT NULL`,
	} {
		if _, err := pool.Exec(t.Context(), statement, n, newest); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE orders, order_lines"); err != nil {
		t.Fatal(err)
	}
}
