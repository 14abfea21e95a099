package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// callTimeout bounds every call, including the wait for a connection and for row locks. It is far above what a healthy
// database needs (milliseconds) and below the timeout of a step.
const callTimeout = 3 * time.Second

// Orders stores orders. It is safe for concurrent use.
type Orders struct {
	pool *pgxpool.Pool
	// Changed, unless it is nil, gets each order that a call has changed, after the commit. It must not block.
	Changed func(context.Context, order.Order)
}

// NewOrders returns the orders in the pool's database, whose schema Migrate creates. The caller closes the pool.
func NewOrders(pool *pgxpool.Pool) *Orders { return &Orders{pool: pool} }

// Create stores o as PENDING with its lines; it uses only the ID, UserID, Items, Total, PaymentMethod, Hash and CreatedAt,
// which is now if it is zero. Either the order has no prices yet, or every line has one and their sum is the total. A row that
// has no prices and is neither closing nor at its end gets those of o. Otherwise Create changes nothing if there is a row. It
// returns the row, whatever its status. If another call stores the order without prices at the same moment, the row may come
// back without prices: a repetition stores them.
func (s *Orders) Create(ctx context.Context, o order.Order) (order.Order, error) {
	if err := o.CheckPrices(); err != nil {
		return order.Order{}, fmt.Errorf("create order %s: %w", o.ID, err)
	}
	return s.transition(ctx, "create", o.ID, createOrder, pgx.NamedArgs{
		"id": string(o.ID), "user": o.UserID, "method": storable(o.PaymentMethod), "hash": storable(o.Hash),
		"priced": o.Priced(), "amount": o.Total.Amount, "currency": o.Total.Currency, "lines": linesJSON(o.Items),
		"created": orNow(o.CreatedAt),
	})
}

// orNow is a time for the statements here, which read null as now.
func orNow(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// A row that was inserted has version 1. If another transaction inserted it while this statement waited, the statement does
// not see its lines and must not price it without them. The driver's ways of sending statements differ in what they know about a parameter,
// so casts say what it is.
const createOrder = `
WITH changed AS (
	INSERT INTO orders AS o (id, user_id, status, payment_method, request_hash, total_amount, total_currency,
		created_at, updated_at)
	VALUES (@id, @user, 'PENDING', @method, @hash,
		CASE WHEN @priced THEN @amount::bigint END, CASE WHEN @priced THEN @currency::text END,
		coalesce(@created::timestamptz, now()), greatest(@created::timestamptz, now()))
	ON CONFLICT (id) DO UPDATE
	SET total_amount = excluded.total_amount, total_currency = excluded.total_currency,
		version = o.version + 1, updated_at = greatest(o.updated_at, now())
	WHERE o.status = 'PENDING' AND NOT o.closing AND o.total_amount IS NULL AND excluded.total_amount IS NOT NULL
		AND EXISTS (SELECT FROM order_lines WHERE order_id = o.id)
	RETURNING id, user_id, status, created_at, updated_at, version
), inserted AS (
	SELECT id, user_id, status, created_at FROM changed WHERE version = 1
), lines AS (` + insertLines + `
), priced AS (
	UPDATE order_lines l
	SET name = p.name, price_amount = (p.price ->> 'amount')::bigint, price_currency = p.price ->> 'currency'
	FROM changed, ROWS FROM (
		jsonb_to_recordset(@lines::jsonb) AS ("productId" text, name text, quantity integer, price jsonb)
	) WITH ORDINALITY AS p ("productId", name, quantity, price, position)
	WHERE changed.version > 1 AND (l.order_id, l.position) = (changed.id, p.position)
		AND (l.product_id, l.quantity) = (p."productId", p.quantity)
)
INSERT INTO order_timeline (order_id, type, happened_at)
SELECT id, CASE version WHEN 1 THEN 'CREATED' ELSE 'PRICED' END, updated_at FROM changed`

// Confirm makes a PENDING order CONFIRMED unless it is closing, and stores the payment's reference and the entries with
// it. The returned status tells whether the order is confirmed, now or earlier. Returns order.ErrNotFound if there is no
// such order.
func (s *Orders) Confirm(
	ctx context.Context, id order.ID, paymentID string, entries []order.Entry,
) (order.Order, error) {
	return s.transition(ctx, "confirm", id, confirmOrder, pgx.NamedArgs{
		"id": string(id), "payment": storable(paymentID), "entries": entriesJSON(entries),
	})
}

const confirmOrder = `
WITH changed AS (
	UPDATE orders
	SET status = 'CONFIRMED', payment_id = @payment, version = version + 1, updated_at = greatest(updated_at, now())
	WHERE id = @id AND status = 'PENDING' AND NOT closing
	RETURNING id, status AS type, updated_at
)` + insertEntries

// Close is the fence: it marks a PENDING order as closing, with the cause. If there is no row, it inserts one that is
// PENDING and closing, with the request's lines, unpriced. A closing order keeps its first cause; a final one does not
// change.
func (s *Orders) Close(
	ctx context.Context, req order.Request, cause order.Cause, entries []order.Entry,
) (order.Order, error) {
	return s.transition(ctx, "close", req.ID, closeOrder, pgx.NamedArgs{
		"id": string(req.ID), "user": req.UserID, "method": storable(req.PaymentMethod), "hash": storable(req.Hash),
		"created": orNow(req.CreatedAt), "cause": pgdb.JSON(storableCause(cause)), "end": string(cause.Reason.FinalStatus()),
		"lines": linesJSON(order.Unpriced(req.Items)), "entries": entriesJSON(entries),
	})
}

// Only an inserted row has version 1; an update increments it.
const closeOrder = `
WITH fenced AS (
	INSERT INTO orders AS o (id, user_id, status, payment_method, request_hash, closing, cause, ends_as, created_at, updated_at)
	VALUES (@id, @user, 'PENDING', @method, @hash, true, @cause::jsonb, @end,
		coalesce(@created::timestamptz, now()), greatest(@created::timestamptz, now()))
	ON CONFLICT (id) DO UPDATE
	SET closing = true, cause = excluded.cause, ends_as = excluded.ends_as,
		version = o.version + 1, updated_at = greatest(o.updated_at, now())
	WHERE o.status = 'PENDING' AND NOT o.closing
	RETURNING id, user_id, status, version, created_at, updated_at
), inserted AS (
	SELECT id, user_id, status, created_at FROM fenced WHERE version = 1
), lines AS (` + insertLines + `
), changed AS (
	SELECT id, 'CLOSING' AS type, updated_at FROM fenced
)` + insertEntries

// Finish makes a closing order FAILED or CANCELLED, by its cause. An order that is not closing does not change. Returns
// order.ErrNotFound if there is no such order.
func (s *Orders) Finish(ctx context.Context, id order.ID, entries []order.Entry) (order.Order, error) {
	return s.transition(ctx, "finish", id, finishOrder, pgx.NamedArgs{
		"id": string(id), "entries": entriesJSON(entries),
	})
}

const finishOrder = `
WITH changed AS (
	UPDATE orders
	SET status = ends_as, version = version + 1, updated_at = greatest(updated_at, now())
	WHERE id = @id AND status = 'PENDING' AND closing
	RETURNING id, status AS type, updated_at
)` + insertEntries
