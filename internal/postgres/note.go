package postgres

import (
	"context"
	"fmt"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Note adds a record to the order's timeline, whatever its status. The key names the record among those of the order: a
// repetition adds nothing. Without a row it is order.ErrNotFound.
func (s *Orders) Note(ctx context.Context, id order.ID, key string, r order.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var found bool
	err := s.pool.QueryRow(ctx, insertNote,
		string(id), storable(key), string(r.Type), r.At, storable(r.Step), storable(r.Detail)).Scan(&found)
	if err == nil && !found {
		err = order.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("note %s on the timeline of order %s: %w", r.Type, id, err)
	}
	return nil
}

// The lock on the order's row makes notes and transitions take turns, so that the IDs of a timeline become visible in
// their sequence: whoever has seen one has seen all before it.
const insertNote = `
WITH locked AS (
	SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE
), noted AS (
	INSERT INTO order_timeline (order_id, key, type, at, step, detail)
	SELECT id, $2, $3, $4, $5, $6 FROM locked
	ON CONFLICT (order_id, key) WHERE key IS NOT NULL DO NOTHING
)
SELECT EXISTS (SELECT FROM locked)`
