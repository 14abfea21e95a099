package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Order returns an order, or order.ErrNotFound.
func (s *Orders) Order(ctx context.Context, id order.ID) (order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o, err := scanOrder(s.pool.QueryRow(ctx, selectOrder, string(id)))
	if err != nil {
		return order.Order{}, fmt.Errorf("read order %s: %w", id, translate(err))
	}
	return o, nil
}

// Orders returns a page of orders, newest first, and the cursor of the next page, "" after the last one. Orders that
// come in while somebody pages appear on no later page, and none is shown twice. A cursor that this method did not hand
// out is order.ErrCursor.
func (s *Orders) Orders(ctx context.Context, q order.Query) ([]order.Order, string, error) {
	// What the list is read from, and where in it an order is. A product may be on several lines of an order.
	what, list, at, id := "", "orders l", "l.created_at", "l.id"
	where, args := []string{"l.status = wanted.status"}, pgx.NamedArgs{"statuses": statuses(q), "limit": q.PageSize() + 1}
	if q.ProductID != "" {
		what, list, at, id = "DISTINCT", "order_lines l", "l.ordered_at", "l.order_id"
		where, args["product"] = append(where, "l.product_id = @product"), q.ProductID
	}
	if q.UserID != 0 {
		where, args["user"] = append(where, "l.user_id = @user"), q.UserID
	}
	if !q.From.IsZero() {
		where, args["from"] = append(where, at+" >= @from"), q.From
	}
	if !q.To.IsZero() {
		where, args["to"] = append(where, at+" < @to"), q.To
	}
	if q.Cursor != "" {
		lastAt, lastID, err := parseCursor(q.Cursor)
		if err != nil {
			return nil, "", err
		}
		where = append(where, "("+at+", "+id+") < (@at, @id::uuid)")
		args["at"], args["id"] = lastAt, string(lastID)
	}
	return s.page(ctx, q.PageSize(), fmt.Sprintf(mergedLists, what, id, at, list, strings.Join(where, " AND ")), args)
}

// mergedLists is a page of a list of several statuses: the first orders of the list of each status, put together. Each of
// those lists is a piece of an index (see the migration "lists"), so that no more orders are looked at than fill a page,
// times four, however many there are.
const mergedLists = `
WITH page AS (
	SELECT id, at FROM unnest(@statuses::text[]) AS wanted (status), LATERAL (
		SELECT %[1]s %[2]s AS id, %[3]s AS at FROM %[4]s WHERE %[5]s ORDER BY %[3]s DESC, %[2]s DESC LIMIT @limit
	) AS list
	ORDER BY at DESC, id DESC LIMIT @limit
)
SELECT ` + orderColumns + ` FROM page JOIN orders o ON o.id = page.id ORDER BY page.at DESC, page.id DESC`

// statuses are those of the orders that are asked for.
func statuses(q order.Query) []order.Status {
	if q.Status != "" {
		return []order.Status{q.Status}
	}
	return []order.Status{order.Pending, order.Confirmed, order.Failed, order.Cancelled}
}

// Unfinished returns a page of the PENDING orders, closing or not, that were created more than minAge ago, oldest
// first, and the cursor of the next page, "" after the last one. The age is measured by the database's clock. Limit is
// cut to order.MaxPage.
func (s *Orders) Unfinished(
	ctx context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Order, string, error) {
	where := "o.status = 'PENDING' AND o.created_at <= now() - @age::interval"
	args := pgx.NamedArgs{"age": minAge, "limit": order.PageSize(limit) + 1}
	if cursor != "" {
		at, id, err := parseCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		where += " AND (o.created_at, o.id) > (@at, @id::uuid)"
		args["at"], args["id"] = at, string(id)
	}
	return s.page(ctx, order.PageSize(limit),
		selectOrders+" WHERE "+where+" ORDER BY o.created_at, o.id LIMIT @limit", args)
}

// page reads one order more than a page holds, to learn whether there is a next page.
func (s *Orders) page(ctx context.Context, size int, query string, args pgx.NamedArgs) ([]order.Order, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, query, args)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	orders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (order.Order, error) { return scanOrder(row) })
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	if len(orders) <= size {
		return orders, "", nil
	}
	orders = orders[:size]
	return orders, cursorAt(orders[size-1]), nil
}

// Timeline returns what happened to an order, in the sequence in which it was stored: the records of steps come with
// the transition that ends them. The sequence only ever grows at its end. Without a row it is order.ErrNotFound.
func (s *Orders) Timeline(ctx context.Context, id order.ID) ([]order.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := s.pool.Query(ctx,
		"SELECT type, at, step, detail FROM order_timeline WHERE order_id = $1 ORDER BY id", string(id))
	if err != nil {
		return nil, fmt.Errorf("read the timeline of order %s: %w", id, err)
	}
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r order.Entry, err error) {
		err = row.Scan(&r.Type, &r.At, &r.Step, &r.Detail)
		r.At = r.At.UTC()
		return r, err
	})
	if err == nil && len(records) == 0 {
		err = order.ErrNotFound // every row has at least the event of its making
	}
	if err != nil {
		return nil, fmt.Errorf("read the timeline of order %s: %w", id, err)
	}
	return records, nil
}

// Changes returns those of the orders to whose timeline something was added after the entry that is given for each (0:
// from the start). Each comes as of one moment: the order is as its last entry left it. Orders without a row are left out.
// The cost depends on how many orders are asked for, not on how many there are.
func (s *Orders) Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ids, last := make([]string, 0, len(since)), make([]int64, 0, len(since))
	for id, entry := range since {
		ids, last = append(ids, string(id)), append(last, entry)
	}
	rows, err := s.pool.Query(ctx, selectChanges, ids, last)
	if err != nil {
		return nil, fmt.Errorf("read what changed of %d orders: %w", len(since), err)
	}
	changes, err := pgx.CollectRows(rows, scanChange)
	if err != nil {
		return nil, fmt.Errorf("read what changed of %d orders: %w", len(since), err)
	}
	return changes, nil
}

// One statement sees one snapshot. What was added comes as JSON of []order.StoredEntry.
const selectChanges = "SELECT " + orderColumns + `, added
FROM unnest($1::uuid[], $2::bigint[]) AS w (id, last)
CROSS JOIN LATERAL (
	SELECT jsonb_agg(jsonb_build_object(
		'id', e.id, 'type', type, 'at', at, 'step', step, 'detail', detail) ORDER BY e.id) AS added
	FROM order_timeline e WHERE e.order_id = w.id AND e.id > w.last
) AS news
JOIN orders o ON o.id = w.id
WHERE added IS NOT NULL`

func scanChange(row pgx.CollectableRow) (c order.Change, err error) {
	var added []byte
	if c.Order, err = scanOrder(row, &added); err != nil {
		return order.Change{}, err
	}
	if err := json.Unmarshal(added, &c.Entries); err != nil {
		return order.Change{}, fmt.Errorf("entries of the timeline: %w", err)
	}
	for i := range c.Entries {
		c.Entries[i].At = c.Entries[i].At.UTC()
	}
	return c, nil
}

// orderColumns are what scanOrder reads of an order "o". The lines come as the JSON of []order.Line.
const orderColumns = `o.id::text, o.user_id, o.status, o.closing, coalesce(o.total_amount, 0), coalesce(o.total_currency, ''),
	o.payment_method, coalesce(o.payment_id, ''), o.request_hash, o.cause, o.version, o.created_at, o.updated_at,
	(SELECT coalesce(jsonb_agg(jsonb_build_object(
			'productId', product_id, 'name', name, 'quantity', quantity, 'price', jsonb_build_object(
				'amount', coalesce(price_amount, 0), 'currency', coalesce(price_currency, '')))
		ORDER BY position), '[]') FROM order_lines WHERE order_id = o.id)`

// selectOrders reads orders and their lines, one row each.
const selectOrders = "SELECT " + orderColumns + " FROM orders o"

const selectOrder = selectOrders + ` WHERE o.id = $1`

// scanOrder reads the orderColumns, and what a query selects besides them.
func scanOrder(row pgx.Row, more ...any) (order.Order, error) {
	var o order.Order
	var cause, lines []byte
	columns := []any{&o.ID, &o.UserID, &o.Status, &o.Closing, &o.Total.Amount, &o.Total.Currency,
		&o.PaymentMethod, &o.PaymentID, &o.Hash, &cause, &o.Version, &o.CreatedAt, &o.UpdatedAt, &lines}
	if err := row.Scan(append(columns, more...)...); err != nil {
		return order.Order{}, err
	}
	o.CreatedAt, o.UpdatedAt = o.CreatedAt.UTC(), o.UpdatedAt.UTC()
	if err := json.Unmarshal(lines, &o.Items); err != nil {
		return order.Order{}, fmt.Errorf("lines: %w", err)
	}
	if cause == nil {
		return o, nil
	}
	if err := json.Unmarshal(cause, &o.Cause); err != nil {
		return order.Order{}, fmt.Errorf("cause: %w", err)
	}
	return o, nil
}

// A cursor is the place of an order in the lists: when it was created, in microseconds (the database's resolution),
// and its ID. Clients see it as an opaque text.
func cursorAt(o order.Order) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", o.CreatedAt.UnixMicro(), o.ID))
}

func parseCursor(cursor string) (time.Time, order.ID, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return time.Time{}, "", order.ErrCursor
	}
	micros, text, _ := strings.Cut(string(raw), " ")
	us, err := strconv.ParseInt(micros, 10, 64)
	if err != nil {
		return time.Time{}, "", order.ErrCursor
	}
	id, err := order.ParseID(text)
	at := time.UnixMicro(us)
	if err != nil || at.Year() < 2000 || at.Year() > 9999 {
		return time.Time{}, "", order.ErrCursor
	}
	return at, id, nil
}
