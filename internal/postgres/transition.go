package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// transition sends a guarded statement and the read of its order as one implicit transaction, in one round trip, and
// returns the order as it is after it. Whether the guard held does not matter here: the caller reads it from the order.
func (s *Orders) transition(
	ctx context.Context, verb string, id order.ID, statement string, args pgx.NamedArgs,
) (order.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var o order.Order
	var batch pgx.Batch
	batch.Queue(statement, args)
	batch.Queue(selectOrder, string(id)).QueryRow(func(row pgx.Row) (err error) {
		o, err = scanOrder(row)
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return order.Order{}, fmt.Errorf("%s order %s: %w", verb, id, translate(err))
	}
	return o, nil
}

// translate is the border between the driver's errors and the domain's. Whatever it does not know stays an error that
// is worth another try.
func translate(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return order.ErrNotFound
	}
	return err
}

// insertLines writes @lines for the row in "inserted", if there is one.
const insertLines = `
	INSERT INTO order_lines (order_id, user_id, status, position, product_id, name, quantity, price_amount, price_currency)
	SELECT id, user_id, status, position, "productId", coalesce(name, ''), quantity,
		(price ->> 'amount')::bigint, price ->> 'currency'
	FROM inserted, ROWS FROM (
		jsonb_to_recordset(@lines::jsonb) AS ("productId" text, name text, quantity integer, price jsonb)
	) WITH ORDINALITY AS l ("productId", name, quantity, price, position)`

// insertEvents writes @records and then the transition itself for the row in "changed", if there is one.
const insertEvents = `
INSERT INTO order_timeline (order_id, type, at, step, detail)
SELECT id, type, at, step, detail FROM (
	SELECT id, type, at, coalesce(step, '') AS step,
		coalesce(detail, '') AS detail, position
	FROM changed, ROWS FROM (
		jsonb_to_recordset(@records::jsonb)
			AS (type text, at timestamptz, step text, detail text)
	) WITH ORDINALITY AS r (type, at, step, detail, position)
	UNION ALL
	SELECT id, event, updated_at, '', '', NULL FROM changed
) AS e
ORDER BY position NULLS LAST`

// linesJSON and recordsJSON write parameters of the statements above. What they marshal are plain structs of strings
// and numbers, and times that Temporal or a clock made, so that marshalling cannot go wrong.
func linesJSON(lines []order.Line) string {
	clean := make([]order.Line, len(lines))
	for i, l := range lines {
		l.ProductID, l.Name, l.Price.Currency = storable(l.ProductID), storable(l.Name), storable(l.Price.Currency)
		clean[i] = l
	}
	return toJSON(clean)
}

func recordsJSON(records []order.Entry) string {
	clean := make([]order.Entry, len(records))
	for i, r := range records {
		r.Step, r.Detail = storable(r.Step), storable(r.Detail)
		clean[i] = r
	}
	return toJSON(clean)
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", v, err))
	}
	return string(b)
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

func each[T any](in []T, f func(T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// storable replaces what PostgreSQL's text cannot hold: the NUL character and bytes that are not UTF-8. Texts from
// outside (an error's message, a product ID) must never be why an order cannot be closed.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
