package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// transition sends a guarded statement and the read of its order as one implicit transaction, in one round trip, and
// returns the resulting order. It does not report whether the guard held: the caller sees that in the order. Only Changed is
// told, from the transition's own entry in the timeline.
func (s *Orders) transition(
	ctx context.Context, verb string, id order.ID, statement string, args pgx.NamedArgs,
) (order.Order, error) {
	o, written, err := transact(ctx, s.pool, scanOrder, args, statement, selectOrders+" WHERE o.id = @id")
	if err != nil {
		return order.Order{}, fmt.Errorf("%s order %s: %w", verb, id, err)
	}
	if written > 0 && s.Changed != nil {
		s.Changed(ctx, o)
	}
	return o, nil
}

// transact sends statements as one implicit transaction, in one round trip, and returns what the last one reads, and how many
// rows the first one has written.
func transact[T any](
	ctx context.Context, pool *pgxpool.Pool, scan pgx.RowToFunc[T], args pgx.NamedArgs, statements ...string,
) (result T, written int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var batch pgx.Batch
	for i, statement := range statements {
		queued := batch.Queue(statement, args)
		switch i {
		case len(statements) - 1:
			queued.Query(func(rows pgx.Rows) (err error) {
				result, err = pgx.CollectExactlyOneRow(rows, scan)
				return err
			})
		case 0:
			queued.Exec(func(tag pgconn.CommandTag) error {
				written = tag.RowsAffected()
				return nil
			})
		}
	}
	if err := pool.SendBatch(ctx, &batch).Close(); err != nil {
		return result, 0, translate(err)
	}
	return result, written, nil
}

// translate turns the driver's errors into the domain's. All others pass unchanged: they mean broken, and are retried.
func translate(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return order.ErrNotFound
	}
	return err
}

// insertLines inserts @lines for the row in "inserted", if any.
const insertLines = `
	INSERT INTO order_lines
		(order_id, user_id, status, ordered_at, position, product_id, name, quantity, price_amount, price_currency)
	SELECT id, user_id, status, created_at, position, "productId", coalesce(name, ''), quantity,
		(price ->> 'amount')::bigint, price ->> 'currency'
	FROM inserted, ROWS FROM (
		jsonb_to_recordset(@lines::jsonb) AS ("productId" text, name text, quantity integer, price jsonb)
	) WITH ORDINALITY AS l ("productId", name, quantity, price, position)`

// insertEntries inserts @entries, and then an entry for the transition itself, for the row in "changed", if any.
const insertEntries = `
INSERT INTO order_timeline (order_id, type, happened_at, step, detail)
SELECT id, type, at, coalesce(step, ''), coalesce(detail, '') FROM (
	SELECT id, e.*
	FROM changed, ROWS FROM (
		jsonb_to_recordset(@entries::jsonb)
			AS (type text, at timestamptz, step text, detail text)
	) WITH ORDINALITY AS e (type, at, step, detail, position)
	UNION ALL
	SELECT id, type, updated_at, NULL, NULL, NULL FROM changed
) AS entries
ORDER BY position NULLS LAST`

// linesJSON and entriesJSON build parameters of the statements above.
func linesJSON(lines []order.Line) string {
	return pgdb.JSON(each(lines, func(l order.Line) order.Line {
		l.ProductID, l.Name, l.Price.Currency = storable(l.ProductID), storable(l.Name), storable(l.Price.Currency)
		return l
	}))
}

func entriesJSON(entries []order.Entry) string {
	return pgdb.JSON(each(entries, func(e order.Entry) order.Entry {
		e.Step, e.Detail = storable(e.Step), storable(e.Detail)
		return e
	}))
}

func storableCause(c order.Cause) order.Cause {
	c.Message, c.DeclineCode = storable(c.Message), storable(c.DeclineCode)
	c.ProductIDs = each(c.ProductIDs, storable)
	c.Shortages = each(c.Shortages, func(s order.Shortage) order.Shortage {
		s.ProductID = storable(s.ProductID)
		return s
	})
	return c
}

// each never returns nil, which JSON would show as null and not as an empty list.
func each[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// storable replaces what PostgreSQL's text cannot hold: NUL and invalid UTF-8. A text from outside (an error's message, a
// product ID) must never keep an order from closing.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
