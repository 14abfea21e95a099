package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/ordersaga/ordersaga/internal/order"
)

// NoteDispute records a dispute, or its newer state. A closed one never changes again. Returns order.ErrNotFound if there is
// no such order.
func (s *Refunds) NoteDispute(ctx context.Context, d order.Dispute) error {
	_, _, err := transact(ctx, s.pool, pgx.RowTo[string], pgx.NamedArgs{
		"id": storable(d.ID), "order": string(d.OrderID), "payment": storable(d.PaymentID), "amount": d.Amount.Amount,
		"currency": d.Amount.Currency, "status": storable(d.Status), "reason": storable(d.Reason), "closed": d.Closed || d.Lost,
		"lost": d.Lost, "opened": orNull(d.OpenedAt), "ended": orNull(d.ClosedAt),
	}, lockOrder, noteDispute, `SELECT id FROM disputes WHERE id = @id::text`)
	if err != nil {
		return fmt.Errorf("note dispute %s of order %s: %w", d.ID, d.OrderID, err)
	}
	return nil
}

var noteDispute = `
WITH changed AS (
	INSERT INTO disputes AS d
		(id, order_id, payment_id, amount, currency, status, reason, closed, lost, opened_at, closed_at)
	SELECT @id::text, id, @payment::text, @amount::bigint, @currency::text, @status::text, @reason::text, @closed::boolean,
		@lost::boolean, coalesce(@opened::timestamptz, now()),
		CASE WHEN @closed::boolean THEN coalesce(@ended::timestamptz, now()) END
	FROM orders WHERE id = @order::uuid
	ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, status = excluded.status, reason = excluded.reason,
		closed = excluded.closed, lost = excluded.lost, closed_at = excluded.closed_at, version = d.version + 1
	WHERE NOT d.closed AND (d.amount, d.status, d.reason, d.closed)
		IS DISTINCT FROM (excluded.amount, excluded.status, excluded.reason, excluded.closed)
	RETURNING *
)
INSERT INTO order_timeline (order_id, type, happened_at, detail, idempotency_key)
SELECT order_id, type, at,
	format('%s: %s, %s (dispute %s)', ` + plainAmount("amount", "currency") + `, reason, status, id), id || '.' || type
FROM changed, LATERAL (
	SELECT 'DISPUTE_OPENED' AS type, opened_at AS at WHERE version = 1
	UNION ALL
	SELECT 'DISPUTE_CLOSED', closed_at WHERE closed
) AS entry`

// Disputes returns the disputes of an order's payment, oldest first.
func (s *Refunds) Disputes(ctx context.Context, id order.ID) ([]order.Dispute, error) {
	disputes, err := collect(ctx, s.pool, scanDispute, selectDisputes, string(id))
	if err != nil {
		return nil, fmt.Errorf("read the disputes of order %s: %w", id, err)
	}
	return disputes, nil
}

const selectDisputes = `
SELECT id, order_id::text, payment_id, amount, currency, status, reason, closed, lost, opened_at, closed_at
FROM disputes WHERE order_id = $1 ORDER BY opened_at, id`

func scanDispute(row pgx.CollectableRow) (d order.Dispute, err error) {
	var closed zeronull.Timestamptz
	err = row.Scan(&d.ID, &d.OrderID, &d.PaymentID, &d.Amount.Amount, &d.Amount.Currency, &d.Status, &d.Reason, &d.Closed,
		&d.Lost, &d.OpenedAt, &closed)
	d.OpenedAt, d.ClosedAt = d.OpenedAt.UTC(), utc(closed)
	return d, err
}
