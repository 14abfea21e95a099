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
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// Order returns an order with its books, or order.ErrNotFound.
func (s *Orders) Order(ctx context.Context, id order.ID) (order.Order, error) {
	o, _, err := transact(ctx, s.pool, scanBooks, pgx.NamedArgs{"id": string(id)},
		"SELECT "+orderColumns+bookColumns+" FROM orders o WHERE o.id = @id")
	if err != nil {
		return order.Order{}, fmt.Errorf("read order %s: %w", id, err)
	}
	return o, nil
}

// Orders returns a page of orders with their books, newest first, and the cursor of the next page, "" after the last one.
// Paging shows no order twice, and none that was created after the first page. Returns order.ErrCursor for a cursor that is
// not one of this method's.
func (s *Orders) Orders(ctx context.Context, q order.Query) ([]order.Order, string, error) {
	// What the list is read from, and the columns of an order's place in it. A product may be on several lines of an order.
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
	return s.page(ctx, scanBooks, q.PageSize(), fmt.Sprintf(mergedLists, what, id, at, list, strings.Join(where, " AND ")), args)
}

// mergedLists is a page of a list of several statuses: it merges the first orders of each status. Each status is a range
// of an index (see the migration), so that it reads at most four pages of orders, however many there are.
const mergedLists = `
WITH page AS (
	SELECT id, at FROM unnest(@statuses::text[]) AS wanted (status), LATERAL (
		SELECT %[1]s %[2]s AS id, %[3]s AS at FROM %[4]s WHERE %[5]s ORDER BY %[3]s DESC, %[2]s DESC LIMIT @limit
	) AS list
	ORDER BY at DESC, id DESC LIMIT @limit
)
SELECT ` + orderColumns + bookColumns + ` FROM page JOIN orders o ON o.id = page.id ORDER BY page.at DESC, page.id DESC`

// statuses returns the statuses that the query asks for.
func statuses(q order.Query) []string {
	if q.Status != "" {
		return []string{string(q.Status)}
	}
	return texts([]order.Status{order.Pending, order.Confirmed, order.Failed, order.Cancelled})
}

// texts returns values as plain strings: the driver knows the type of those, however it sends statements.
func texts[T ~string](values []T) []string {
	return each(values, func(v T) string { return string(v) })
}

// Unfinished returns a page of the PENDING orders, closing or not, that were created more than minAge ago by the
// database's clock, oldest first, and the cursor of the next page, "" after the last one. A page holds at most
// order.MaxPage orders.
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
	return s.page(ctx, scanOrder, order.PageSize(limit),
		selectOrders+" WHERE "+where+" ORDER BY o.created_at, o.id LIMIT @limit", args)
}

// page runs a query for one order more than a page holds, which tells whether there is a next page.
func (s *Orders) page(
	ctx context.Context, scan pgx.RowToFunc[order.Order], size int, query string, args pgx.NamedArgs,
) ([]order.Order, string, error) {
	orders, err := collect(ctx, s.pool, scan, query, args)
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	if len(orders) <= size {
		return orders, "", nil
	}
	orders = orders[:size]
	last := orders[size-1]
	return orders, cursorAt(last.CreatedAt, string(last.ID)), nil
}

// Pending returns how many orders have no final status, and the age of the oldest of them.
func (s *Orders) Pending(ctx context.Context) (count int64, oldest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var seconds float64
	err = s.pool.QueryRow(ctx, `
		SELECT count(*), coalesce(extract(epoch FROM greatest(now() - min(created_at), interval '0')), 0)::float8
		FROM orders WHERE status = 'PENDING'`).Scan(&count, &seconds)
	if err != nil {
		return 0, 0, fmt.Errorf("count the unfinished orders: %w", err)
	}
	return count, time.Duration(seconds * float64(time.Second)), nil
}

// Decided returns those of the orders with a known end: final, or closing with a cause. The others are left out, whether
// PENDING or without a row. It is one statement, and reads the lines only of the orders that it returns, so it can be
// called often.
func (s *Orders) Decided(ctx context.Context, ids []order.ID) ([]order.Order, error) {
	orders, err := collect(ctx, s.pool, scanOrder, selectDecided, texts(ids))
	if err != nil {
		return nil, fmt.Errorf("read how %d orders end: %w", len(ids), err)
	}
	return orders, nil
}

const selectDecided = selectOrders + ` WHERE o.id = ANY($1::uuid[]) AND (o.status <> 'PENDING' OR o.closing)`

// collect is pgdb.Collect with the timeout of calls.
func collect[T any](
	ctx context.Context, pool *pgxpool.Pool, scan pgx.RowToFunc[T], query string, args ...any,
) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pgdb.Collect(ctx, pool, scan, query, args...)
}

// orderColumns are the columns that scanOrder reads of an order "o". The lines come as JSON of []order.Line.
const orderColumns = `o.id::text, o.user_id, o.status, o.closing, coalesce(o.total_amount, 0), coalesce(o.total_currency, ''),
	o.payment_method, coalesce(o.payment_id, ''), o.request_hash, o.cause, o.version, o.created_at, o.updated_at,
	(SELECT coalesce(jsonb_agg(jsonb_build_object(
			'productId', product_id, 'name', name, 'quantity', quantity, 'price', jsonb_build_object(
				'amount', coalesce(price_amount, 0), 'currency', coalesce(price_currency, '')))
		ORDER BY position), '[]') FROM order_lines WHERE order_id = o.id)`

// selectOrders reads orders and their lines, one row each.
const selectOrders = "SELECT " + orderColumns + " FROM orders o"

func scanOrder(row pgx.CollectableRow) (order.Order, error) { return scanColumns(row) }

// scanColumns reads the orderColumns, and any further columns into more.
func scanColumns(row pgx.Row, more ...any) (order.Order, error) {
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

// bookColumns are the columns that scanBooks reads after the orderColumns: what happened to a confirmed order since. The
// lines that moved come as JSON. An order without refunds and shipments costs two look-ups in their indexes.
const bookColumns = `,
	CASE WHEN o.status = 'CONFIRMED' THEN (
		SELECT jsonb_build_object('refunded', refunded, 'version', refunds + shipments, 'lines',
			CASE WHEN refunds + shipments > 0 THEN (
				SELECT jsonb_agg(jsonb_build_object('line', position, 'returned', back_accepted, 'cancelled', cancelled_accepted,
					'shipped', shipped, 'delivered', delivered))
				FROM line_books WHERE order_id = o.id
			) END)
		FROM (
			SELECT coalesce(sum(amount) FILTER (WHERE status IN ('PENDING', 'SUCCEEDED')), 0) AS refunded,
				coalesce(sum(version), 0) AS refunds
			FROM refunds WHERE order_id = o.id
		) AS refunds, (
			SELECT coalesce(sum(version), 0) AS shipments FROM shipments WHERE order_id = o.id
		) AS shipments
	) END`

func scanBooks(row pgx.CollectableRow) (order.Order, error) {
	var column []byte
	o, err := scanColumns(row, &column)
	if err != nil {
		return order.Order{}, err
	}
	var books struct {
		Refunded, Version int64
		Lines             []struct{ Line, Returned, Cancelled, Shipped, Delivered int }
	}
	if err := unmarshal(column, &books); err != nil {
		return order.Order{}, fmt.Errorf("books: %w", err)
	}
	o.BooksVersion = books.Version
	if books.Refunded > 0 {
		o.Refunded = money.Money{Amount: books.Refunded, Currency: o.Total.Currency}
	}
	for _, l := range books.Lines {
		line := &o.Items[l.Line-1]
		line.Returned, line.Cancelled, line.Shipped, line.Delivered = l.Returned, l.Cancelled, l.Shipped, l.Delivered
	}
	return o, nil
}

// A cursor is a place in a list: a time in microseconds (the database's resolution) and an ID. To clients it is opaque.
func cursorAt(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", at.UnixMicro(), id))
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
