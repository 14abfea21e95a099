package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Refund returns a refund, or order.ErrNotFound.
func (s *Refunds) Refund(ctx context.Context, id order.RefundID) (order.Refund, error) {
	return s.change(ctx, "read", id, pgx.NamedArgs{"id": string(id)}, selectRefund)
}

// OfOrder returns the refunds of an order, also those that were refused, newest last.
func (s *Refunds) OfOrder(ctx context.Context, id order.ID) ([]order.Refund, error) {
	refunds, err := collect(ctx, s.pool, scanRefund,
		selectRefunds+" WHERE r.order_id = $1 ORDER BY r.created_at, r.id", string(id))
	if err != nil {
		return nil, fmt.Errorf("read the refunds of order %s: %w", id, err)
	}
	return refunds, nil
}

// Answered returns those of the refunds that the books or the gateway have answered: they are no longer BOOKED. The others
// are left out, whether BOOKED or without a row.
func (s *Refunds) Answered(ctx context.Context, ids []order.RefundID) ([]order.Refund, error) {
	refunds, err := collect(ctx, s.pool, scanRefund,
		selectRefunds+" WHERE r.id = ANY($1::uuid[]) AND r.status <> 'BOOKED'", texts(ids))
	if err != nil {
		return nil, fmt.Errorf("read how %d refunds were answered: %w", len(ids), err)
	}
	return refunds, nil
}

// Unsettled returns a page of the refunds that are not at rest and that last changed more than minAge ago by the database's
// clock, oldest first, and the cursor of the next page, "" after the last one.
func (s *Refunds) Unsettled(
	ctx context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Refund, string, error) {
	return unsettled(ctx, s.pool, scanRefund, selectRefunds, "r", minAge, cursor, limit,
		func(r order.Refund) (time.Time, string) { return r.UpdatedAt, string(r.ID) })
}

// unsettled returns a page of the rows of a table that are not settled. A page holds at most order.MaxPage rows.
func unsettled[T any](
	ctx context.Context, pool *pgxpool.Pool, scan pgx.RowToFunc[T], query, table string, minAge time.Duration, cursor string,
	limit int, place func(T) (time.Time, string),
) ([]T, string, error) {
	size := order.PageSize(limit)
	where := " WHERE NOT %[1]s.settled AND %[1]s.updated_at <= now() - @age::interval"
	args := pgx.NamedArgs{"age": minAge, "limit": size + 1}
	if cursor != "" {
		at, id, err := parseCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		where += " AND (%[1]s.updated_at, %[1]s.id) > (@at::timestamptz, @id::uuid)"
		args["at"], args["id"] = at, string(id)
	}
	rows, err := collect(ctx, pool, scan,
		query+fmt.Sprintf(where+" ORDER BY %[1]s.updated_at, %[1]s.id LIMIT @limit::bigint", table), args)
	if err != nil {
		return nil, "", fmt.Errorf("list what is not settled: %w", err)
	}
	if len(rows) <= size {
		return rows, "", nil
	}
	return rows[:size], cursorAt(place(rows[size-1])), nil
}

// Pending returns up to limit of the PENDING refunds that were not looked up at the gateway for minAge by the database's
// clock, the longest ago first. Looked moves a refund to the end.
func (s *Refunds) Pending(ctx context.Context, minAge time.Duration, limit int) ([]order.Refund, error) {
	refunds, err := collect(ctx, s.pool, scanRefund, selectRefunds+`
		WHERE r.status = 'PENDING' AND r.looked_at <= now() - @age::interval
		ORDER BY r.looked_at, r.id LIMIT @limit::bigint`,
		pgx.NamedArgs{"age": minAge, "limit": order.PageSize(limit)})
	if err != nil {
		return nil, fmt.Errorf("list pending refunds: %w", err)
	}
	return refunds, nil
}

// Looked records that a refund was looked up at the gateway. The refund does not change.
func (s *Refunds) Looked(ctx context.Context, id order.RefundID) error {
	_, err := s.change(ctx, "note the look-up of", id, pgx.NamedArgs{"id": string(id)},
		`UPDATE refunds SET looked_at = greatest(looked_at, now()) WHERE id = @id::uuid`, selectRefund)
	return err
}

// Balances returns what the books say about the money of the CONFIRMED orders among those asked for; the others are left out.
func (s *Refunds) Balances(ctx context.Context, ids []order.ID) ([]order.Balance, error) {
	balances, err := collect(ctx, s.pool, scanBalance, selectBalances, texts(ids))
	if err != nil {
		return nil, fmt.Errorf("read the balances of %d orders: %w", len(ids), err)
	}
	return balances, nil
}

const selectBalances = `
SELECT o.id::text, o.total_currency, o.total_amount - given, owed, unsettled, skipped
FROM orders o CROSS JOIN LATERAL (
	SELECT
		coalesce(sum(amount) FILTER (WHERE money = 'GATEWAY' AND status IN ('PENDING', 'SUCCEEDED')), 0)::bigint AS given,
		coalesce(sum(amount) FILTER (WHERE status = 'FAILED' AND NOT EXISTS (
			SELECT FROM refunds other WHERE other.replaces = r.id AND other.status <> 'REFUSED' AND NOT other.late
		)), 0)::bigint AS owed,
		max(updated_at) FILTER (WHERE NOT settled) AS unsettled,
		coalesce(jsonb_agg(id ORDER BY created_at, id) FILTER (WHERE units = 'SKIPPED'), '[]') AS skipped
	FROM refunds r WHERE order_id = o.id
) AS sums
WHERE o.id = ANY($1::uuid[]) AND o.status = 'CONFIRMED'`

func scanBalance(row pgx.CollectableRow) (b order.Balance, err error) {
	var skipped []byte
	var unsettled zeronull.Timestamptz
	if err := row.Scan(&b.OrderID, &b.Kept.Currency, &b.Kept.Amount, &b.Owed.Amount, &unsettled, &skipped); err != nil {
		return order.Balance{}, err
	}
	b.Owed.Currency, b.Unsettled = b.Kept.Currency, utc(unsettled)
	return b, json.Unmarshal(skipped, &b.Skipped)
}
