package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"ordersaga/internal/order"
)

// foreignKeyViolation is PostgreSQL's error code of a row that refers to one that does not exist.
const foreignKeyViolation = "23503"

// Note adds a record to the order's timeline, whatever its status. The key names the record among those of the order: a
// repetition adds nothing. Without a row it is order.ErrNotFound.
func (s *Orders) Note(ctx context.Context, id order.ID, key string, r order.Record) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.pool.Exec(ctx, `
		INSERT INTO order_events (order_id, key, type, at, step, attempts, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (order_id, key) WHERE key IS NOT NULL DO NOTHING`,
		string(id), storable(key), string(r.Type), r.At, storable(r.Step), r.Attempts, storable(r.Detail))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == foreignKeyViolation {
		err = order.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("note %s on the timeline of order %s: %w", r.Type, id, err)
	}
	return nil
}
