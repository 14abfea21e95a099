package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/order"
)

// AppendTimeline adds an entry to the order's timeline, whatever the order's status. The key identifies the entry within
// that timeline: a repetition adds nothing. Returns order.ErrNotFound if there is no such order.
func (s *Orders) AppendTimeline(ctx context.Context, id order.ID, key string, e order.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var found bool
	err := s.pool.QueryRow(ctx, appendEntry,
		string(id), storable(key), string(e.Type), e.At, storable(e.Step), storable(e.Detail)).Scan(&found)
	if err == nil && !found {
		err = order.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("append %s to the timeline of order %s: %w", e.Type, id, err)
	}
	return nil
}

// The lock on the order's row makes this and the transitions take turns, so that the IDs of a timeline become visible in
// their sequence: a reader that has seen one has seen all before it.
const appendEntry = `
WITH locked AS (
	SELECT id FROM orders WHERE id = $1 FOR NO KEY UPDATE
), appended AS (
	INSERT INTO order_timeline (order_id, idempotency_key, type, happened_at, step, detail)
	SELECT id, $2, $3, $4, $5, $6 FROM locked
	ON CONFLICT (order_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
)
SELECT EXISTS (SELECT FROM locked)`

// Timeline returns what happened to an order, in the sequence in which it was stored: the entries of steps are stored
// with the transition that ends them. It only ever grows at its end. Returns order.ErrNotFound if there is no such order.
func (s *Orders) Timeline(ctx context.Context, id order.ID) ([]order.Entry, error) {
	entries, err := collect(ctx, s.pool, scanEntry, selectTimeline, string(id))
	if err == nil && len(entries) == 0 {
		err = order.ErrNotFound // every order has at least the entry of its first transition
	}
	if err != nil {
		return nil, fmt.Errorf("read the timeline of order %s: %w", id, err)
	}
	return entries, nil
}

func scanEntry(row pgx.CollectableRow) (e order.Entry, err error) {
	err = row.Scan(&e.Type, &e.At, &e.Step, &e.Detail)
	e.At = e.At.UTC()
	return e, err
}

const selectTimeline = `
SELECT type, happened_at, step, detail FROM order_timeline WHERE order_id = $1 ORDER BY id`

// Changes returns the orders whose timeline has entries after the given one (0: from the start). Order and entries are of
// one moment: the order is as its last entry left it. Unknown orders are left out. The cost depends on the number of
// orders asked for, not on the number that exist.
func (s *Orders) Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error) {
	ids, last := make([]string, 0, len(since)), make([]int64, 0, len(since))
	for id, entry := range since {
		ids, last = append(ids, string(id)), append(last, entry)
	}
	changes, err := collect(ctx, s.pool, scanChange, selectChanges, ids, last)
	if err != nil {
		return nil, fmt.Errorf("read the changes of %d orders: %w", len(since), err)
	}
	return changes, nil
}

// A single statement, because it sees a single snapshot. The entries come as JSON of []order.StoredEntry.
const selectChanges = "SELECT " + orderColumns + `, added
FROM unnest($1::uuid[], $2::bigint[]) AS watched (id, last)
CROSS JOIN LATERAL (
	SELECT jsonb_agg(jsonb_build_object('id', e.id, 'type', type, 'at', happened_at, 'step', step, 'detail', detail)
		ORDER BY e.id) AS added
	FROM order_timeline e WHERE e.order_id = watched.id AND e.id > watched.last
) AS news
JOIN orders o ON o.id = watched.id
WHERE added IS NOT NULL`

func scanChange(row pgx.CollectableRow) (c order.Change, err error) {
	var added []byte
	if c.Order, err = scanColumns(row, &added); err != nil {
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
