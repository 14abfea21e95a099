package main

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// growth asks whether the api stays as fast while the orders become more: what one request costs at each number of
// orders, and how much memory the api has taken. `make bench-api` runs it.
type growth struct {
	*stack
	db    *pgx.Conn
	rows  int           // orders in the database, the placed ones not counted
	until time.Time     // all orders of the rows are older
	span  time.Duration // and younger than that before
	found []grown
}

// grown is what was measured of one request at one number of orders. Its JSON is a public format, as Result's is.
type grown struct {
	Request   string  `json:"request"`
	Orders    int     `json:"orders"`
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"per_s"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	RSSMiB    float64 `json:"api_rss_mib"`      // after it
	PeakMiB   float64 `json:"api_peak_rss_mib"` // since the api was started
}

// measureGrowth measures at each of the sizes, which ascend.
func (s *stack) measureGrowth(ctx context.Context, sizes []int, say func(string, ...any)) (*growth, error) {
	db, err := pgx.Connect(ctx, s.c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	g := &growth{stack: s, db: db, until: time.Now().UTC().Add(-time.Hour), span: 30 * 24 * time.Hour}
	for _, size := range sizes {
		if err := g.fill(ctx, size, say); err != nil {
			return nil, err
		}
		if err := g.measure(ctx, say); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// chunk is how many orders one transaction writes.
const chunk = 50_000

// fill writes orders until there are so many: of 100 users and 100 products, over a month, a fifth of them undone:
// with 10,000 orders every filter but user and product together finds a full page. None is PENDING, or the schedule that looks
// after such orders would find work.
func (g *growth) fill(ctx context.Context, size int, say func(string, ...any)) error {
	for g.rows < size {
		n := min(chunk, size-g.rows)
		if _, err := g.db.Exec(ctx, fillOrders, pgx.NamedArgs{
			"from": g.rows, "to": g.rows + n - 1, "until": g.until, "span": g.span,
		}); err != nil {
			return fmt.Errorf("write orders: %w", err)
		}
		g.rows += n
		if g.rows%(5*chunk) == 0 || g.rows == size {
			say("%d of %d orders written", g.rows, size)
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
	INSERT INTO order_lines (order_id, user_id, status, position, product_id, name, quantity, price_amount, price_currency, ordered_at)
	SELECT id, 1 + i % 100, status, 1, 'bench-' || (i / 7) % 100, 'A product', 2, 1299, 'USD', at FROM numbers
)
INSERT INTO order_timeline (order_id, type, happened_at) SELECT id, unnest(ARRAY['CREATED', status]), at FROM numbers`

// anID is the ID of any order that fill wrote.
func (g *growth) anID() string {
	return uuid.UUID(md5.Sum([]byte("bench-" + strconv.Itoa(rand.IntN(g.rows))))).String()
}

// at is any time at which orders were created.
func (g *growth) at() string {
	return g.until.Add(-time.Duration(rand.Int64N(int64(g.span)))).Format(time.RFC3339)
}

const placing = "POST /orders (async)"

// requests are what is asked, in this sequence: placing is the last, because its sagas go on after the answers.
func (g *growth) requests() []mode {
	user := func() string { return strconv.Itoa(1 + rand.IntN(100)) }
	product := func() string { return "bench-" + strconv.Itoa(rand.IntN(100)) }
	return []mode{
		{name: "GET /orders/{id}", run: g.get(func() string { return "/" + g.anID() })},
		{name: "GET /orders", run: g.get(func() string { return "" })},
		{name: "… of a user", run: g.get(func() string { return "?userId=" + user() })},
		{name: "… of a status", run: g.get(func() string { return "?status=FAILED" })},
		{name: "… of a user and a status", run: g.get(func() string { return "?status=FAILED&userId=" + user() })},
		{name: "… with a product", run: g.get(func() string { return "?productId=" + product() })},
		{name: "… of a status with a product", run: g.get(func() string { return "?status=FAILED&productId=" + product() })},
		{name: "… of a user with a product", run: g.get(func() string { return "?userId=" + user() + "&productId=" + product() })},
		{name: "… before a time", run: g.get(func() string { return "?createdTo=" + url.QueryEscape(g.at()) })},
		{name: placing, run: g.post},
	}
}

func (g *growth) get(path func() string) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, _ bool) (string, error) {
		at := "/orders" + path()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.c.API+at, nil)
		if err != nil {
			return "", err
		}
		res, err := g.http.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("GET %s: the api answered %d %s", at, res.StatusCode, body)
		}
		return at, err
	}
}

func (g *growth) post(ctx context.Context, _ bool) (string, error) {
	req := g.request(false)
	status, body, err := g.stack.post(ctx, g.c.API+"/orders", map[string]any{
		"userId": req.UserID, "items": req.Items, "paymentMethod": req.PaymentMethod,
	}, "Idempotency-Key", string(req.ID), "Prefer", "respond-async")
	if err == nil && status != http.StatusAccepted {
		err = fmt.Errorf("POST /orders: the api answered %d %s", status, body)
	}
	return string(req.ID), err
}

func (g *growth) measure(ctx context.Context, say func(string, ...any)) error {
	for _, m := range g.requests() {
		if _, err := load(ctx, m, g.o.clients, g.o.segment/4); err != nil { // to warm up
			return fmt.Errorf("%s: %w", m.name, err)
		}
		seg, err := load(ctx, m, g.o.clients, g.length(m))
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		memory, err := g.memory(ctx)
		if err != nil {
			return err
		}
		r := grown{
			Request: m.name, Orders: g.rows, Requests: seg.done, PerSecond: seg.perSecond(),
			P50Ms: milliseconds(seg.latencies, 50), P99Ms: milliseconds(seg.latencies, 99),
			RSSMiB: memory["VmRSS"], PeakMiB: memory["VmHWM"],
		}
		g.found = append(g.found, r)
		say("%8d orders  %-29s %8.0f/s  p50 %6.1f ms  p99 %6.1f ms", r.Orders, r.Request, r.PerSecond, r.P50Ms, r.P99Ms)
	}
	return g.settle(ctx, say)
}

// length is how long a request is measured: placing, of which there are far fewer a second, four times as long, or its
// p99 would be made of a few requests.
func (g *growth) length(m mode) time.Duration {
	if m.name == placing {
		return 4 * g.o.segment
	}
	return g.o.segment
}

// settleWithin bounds how long the sagas of the placed orders may take.
const settleWithin = 3 * time.Minute

// settle waits until the placed orders have ended, which costs the machine as much as anything that is measured.
func (g *growth) settle(ctx context.Context, say func(string, ...any)) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	say("waiting for the placed orders to end")
	for tick := time.NewTicker(time.Second); ; {
		var left int
		const count = "SELECT count(*) FROM (SELECT FROM orders WHERE status = $1 LIMIT 1)"
		if err := g.db.QueryRow(ctx, count, string(order.Pending)).Scan(&left); err != nil {
			return fmt.Errorf("wait for orders to end: %w", err)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("orders are still pending after %s", settleWithin)
		case <-tick.C:
		}
	}
}

// memory reads the api's memory, in MiB, from /proc/PID/status.
func (g *growth) memory(ctx context.Context) (map[string]float64, error) {
	if g.roots == nil {
		roots, err := g.programs(ctx)
		if err != nil {
			return nil, err
		}
		g.roots = roots
	}
	for pid, name := range g.roots {
		if name == "api" {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			return parseMemory(string(status)), err
		}
	}
	return nil, fmt.Errorf("devstack names no process of the api")
}

func parseMemory(status string) map[string]float64 {
	memory := map[string]float64{}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if kib, unit, _ := strings.Cut(strings.TrimSpace(value), " "); unit == "kB" {
			n, _ := strconv.ParseFloat(kib, 64)
			memory[name] = n / 1024
		}
	}
	return memory
}

// print writes what was found as a Markdown table, as it is in docs/performance.md.
func (g *growth) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d clients, %g s a figure (placing: %g s)\n\n", g.o.clients, g.o.segment.Seconds(), 4*g.o.segment.Seconds())
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| request\t| orders\t| requests\t| requests/s\t| p50 ms\t| p99 ms\t| api RSS MiB\t| peak\t|")
	fmt.Fprintln(t, "|---\t|---:\t|---:\t|---:\t|---:\t|---:\t|---:\t|---:\t|")
	for _, m := range g.requests() {
		for _, r := range g.found {
			if r.Request == m.name {
				fmt.Fprintf(t, "| %s\t| %d\t| %d\t| %.0f\t| %.1f\t| %.1f\t| %.0f\t| %.0f\t|\n",
					r.Request, r.Orders, r.Requests, r.PerSecond, r.P50Ms, r.P99Ms, r.RSSMiB, r.PeakMiB)
			}
		}
	}
	t.Flush()
}

func (g *growth) write(path string, say func(string, ...any)) error {
	if path == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(g.found, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	say("results in %s", path)
	return nil
}
