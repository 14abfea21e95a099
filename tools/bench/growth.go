package main

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// growth measures whether the api stays fast while the number of orders grows: what one request costs at each number, and
// how much memory the api takes. `make bench-api` runs it.
type growth struct {
	*stack
	db     *pgx.Conn
	orders *orderclient.Client
	rows   int           // orders that fill has written
	until  time.Time     // they are older than this
	span   time.Duration // and younger than this before
}

// measureGrowth measures at each of the sizes, which ascend.
func (s *stack) measureGrowth(ctx context.Context, w io.Writer) error {
	g := &growth{stack: s, until: time.Now().UTC().Add(-time.Hour), span: 30 * 24 * time.Hour}
	var err error
	if g.orders, err = s.client(s.c.API); err != nil {
		return err
	}
	if g.db, err = pgx.Connect(ctx, s.c.DatabaseURL); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer g.db.Close(context.WithoutCancel(ctx))
	var report strings.Builder
	t := tabwriter.NewWriter(&report, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| request\t| orders\t| requests/s\t| p50 ms\t| p99 ms\t| api MiB\t|")
	fmt.Fprintln(t, "|---\t|---:\t|---:\t|---:\t|---:\t|---:\t|")
	for _, size := range s.o.Growth {
		if err := g.fill(ctx, size); err != nil {
			return err
		}
		if err := g.measure(ctx, t); err != nil {
			return err
		}
	}
	t.Flush()
	const head = "\n%d clients, %s per figure (placing: 4 times that)\n\n%s"
	_, err = fmt.Fprintf(w, head, s.o.Concurrency, s.o.Segment, report.String())
	return err
}

// chunk is how many orders one transaction writes.
const chunk = 50_000

// fill writes orders up to the given number: of 100 users and 100 products, over a month, a fifth of them undone. With
// 10,000 orders, every filter but user and product together finds a full page. None is PENDING, because the recovery
// schedule would look for its workflow.
func (g *growth) fill(ctx context.Context, size int) error {
	for g.rows < size {
		n := min(chunk, size-g.rows)
		if _, err := g.db.Exec(ctx, fillOrders, pgx.NamedArgs{
			"from": g.rows, "to": g.rows + n - 1, "until": g.until, "span": g.span,
		}); err != nil {
			return fmt.Errorf("write orders: %w", err)
		}
		g.rows += n
		if g.rows%(5*chunk) == 0 || g.rows == size {
			g.say("%d of %d orders written", g.rows, size)
		}
	}
	if _, err := g.db.Exec(ctx, "ANALYZE orders, order_lines, order_timeline"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

const fillOrders = `
WITH numbers AS (
	SELECT i, md5('bench-' || i)::uuid AS id, @until::timestamptz - random() * @span::interval AS at,
		CASE WHEN (i + i / 100) % 5 = 0 THEN 'FAILED' ELSE 'CONFIRMED' END AS status
	FROM generate_series(@from::int, @to::int) i
), new_orders AS (
	INSERT INTO orders (id, user_id, status, closing, cause, ends_as, total_amount, total_currency, payment_method,
		payment_id, request_hash, version, created_at, updated_at)
	SELECT id, 1 + i % 100, status, status = 'FAILED',
		CASE WHEN status = 'FAILED' THEN '{"reason": "PAYMENT_DECLINED", "message": "the card was declined"}'::jsonb END,
		CASE WHEN status = 'FAILED' THEN status END, 2598, 'USD', 'pm_card_visa',
		CASE WHEN status = 'CONFIRMED' THEN 'pi_' || i END, 'bench', 2, at, at
	FROM numbers
), new_lines AS (
	INSERT INTO order_lines (order_id, user_id, status, position, product_id, name, quantity, price_amount, price_currency,
		ordered_at)
	SELECT id, 1 + i % 100, status, 1, 'bench-' || (i / 7) % 100, 'A product', 2, 1299, 'USD', at FROM numbers
)
INSERT INTO order_timeline (order_id, type, happened_at) SELECT id, unnest(ARRAY['CREATED', status]), at FROM numbers`

// anID is the ID of a random order that fill wrote.
func (g *growth) anID() string {
	return uuid.UUID(md5.Sum([]byte("bench-" + strconv.Itoa(rand.IntN(g.rows))))).String()
}

// request is a request that is measured, for some number of segments.
type request struct {
	name     string
	run      place
	segments time.Duration
}

// requests are what is measured, in this order. Placing is the last, because its sagas go on after the responses; it takes
// longer, because its p99 would otherwise be that of a few requests.
func (g *growth) requests() []request {
	user := func() int64 { return 1 + rand.Int64N(100) }
	product := func() string { return productID(rand.IntN(products)) }
	get := func(ctx context.Context) (string, error) { _, err := g.orders.Get(ctx, g.anID()); return "", err }
	list := func(filter func() orderclient.Filter) place {
		return func(ctx context.Context) (string, error) {
			for _, err := range g.orders.List(ctx, filter()) {
				return "", err // the first page only
			}
			return "", nil
		}
	}
	post := func(ctx context.Context) (string, error) {
		_, err := g.orders.Place(ctx, orderclient.NewOrder{
			UserID: user(), PaymentMethod: goodCard, Items: []orderclient.Item{{ProductID: product(), Quantity: 1}},
		}, orderclient.Wait(0))
		return "", err
	}
	type filter = orderclient.Filter
	return []request{
		{"GET /orders/{id}", get, 1},
		{"GET /orders", list(func() filter { return filter{} }), 1},
		{"… of a user", list(func() filter { return filter{UserID: user()} }), 1},
		{"… of a status", list(func() filter { return filter{Status: orderclient.Failed} }), 1},
		{"… of a user and a status", list(func() filter { return filter{UserID: user(), Status: orderclient.Failed} }), 1},
		{"… with a product", list(func() filter { return filter{ProductID: product()} }), 1},
		{"… of a status with a product", list(func() filter { return filter{Status: orderclient.Failed, ProductID: product()} }), 1},
		{"… of a user with a product", list(func() filter { return filter{UserID: user(), ProductID: product()} }), 1},
		{"… before a time", list(func() filter { return filter{CreatedTo: g.until.Add(-rand.N(g.span))} }), 1},
		{"POST /orders (async)", post, 4},
	}
}

// measure measures each request and writes a line of the report about it.
func (g *growth) measure(ctx context.Context, report io.Writer) error {
	for _, r := range g.requests() {
		if _, err := placing(ctx, r.run, g.o.Concurrency, load.For(g.o.Segment/4)); err != nil { // to warm up
			return fmt.Errorf("%s: %w", r.name, err)
		}
		seg, err := placing(ctx, r.run, g.o.Concurrency, load.For(r.segments*g.o.Segment))
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		used, err := g.usage(ctx)
		if err != nil {
			return err
		}
		p50, p99 := seg.Milliseconds(50), seg.Milliseconds(99)
		g.say("%8d orders  %-29s %8.0f/s  p50 %6.1f ms  p99 %6.1f ms", g.rows, r.name, seg.PerSecond(), p50, p99)
		fmt.Fprintf(report, "| %s\t| %d\t| %.0f\t| %.1f\t| %.1f\t| %.0f\t|\n",
			r.name, g.rows, seg.PerSecond(), p50, p99, used.memory()["api"])
	}
	return g.atRest(ctx)
}

// atRest waits until the placed orders have ended, because their sagas take as much of the machine as what is measured.
func (g *growth) atRest(ctx context.Context) error {
	const limit = 3 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	g.say("waiting for the placed orders to end")
	for {
		var pending bool
		if err := g.db.QueryRow(ctx, "SELECT EXISTS (SELECT FROM orders WHERE status = 'PENDING')").Scan(&pending); err != nil {
			return fmt.Errorf("wait for orders to end: %w", err)
		}
		if !pending {
			return nil
		}
		if pause(ctx, time.Second) != nil {
			return fmt.Errorf("orders are still pending after %s", limit)
		}
	}
}
