package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// Shipments stores shipments. It is safe for concurrent use.
type Shipments struct{ pool *pgxpool.Pool }

// NewShipments returns the shipments in the pool's database, whose schema Migrate creates. The caller closes the pool.
func NewShipments(pool *pgxpool.Pool) *Shipments { return &Shipments{pool} }

// Ship stores the shipment as SHIPPED, or as REFUSED by the books and settled: when the order is not CONFIRMED, or a line has
// fewer units that are neither shipped nor cancelled. If the row already exists, Ship changes nothing and returns that row.
// Returns order.ErrNotFound if there is no such order.
func (s *Shipments) Ship(ctx context.Context, req order.ShipmentRequest) (order.Shipment, error) {
	if err := req.Check(); err != nil {
		if known, found := s.Shipment(ctx, req.ID); found == nil {
			return known, nil
		}
		return order.Shipment{}, fmt.Errorf("ship %s: %w", req.ID, err)
	}
	return s.change(ctx, "ship", req.ID, pgx.NamedArgs{
		"id": string(req.ID), "order": string(req.OrderID), "items": pgdb.JSON(req.Items), "carrier": storable(req.Carrier),
		"tracking": storable(req.Tracking), "subject": storable(req.Subject), "hash": storable(req.Hash),
	}, lockOrder, shipLines, selectShipment)
}

var shipLines = `
WITH o AS (
	SELECT id, status FROM orders
	WHERE id = @order::uuid AND NOT EXISTS (SELECT FROM shipments WHERE id = @id::uuid)
), lines AS (
	SELECT line, position, quantity, greatest(0, coalesce(bought - cancelled - shipped, 0)) AS units_left
	FROM jsonb_to_recordset(@items::jsonb) AS asked (line integer, quantity integer)
	LEFT JOIN line_books b ON b.order_id = @order::uuid AND b.position = line
), verdict AS (
	SELECT '` + pgdb.JSON(order.RefusalsOfShipping) + `'::jsonb -> CASE
			WHEN status <> 'CONFIRMED' THEN 'ORDER_NOT_CONFIRMED'
			WHEN short IS NOT NULL THEN 'QUANTITY_TOO_LARGE'
		END || CASE WHEN status = 'CONFIRMED' THEN jsonb_build_object('lines', short) ELSE '{}' END AS cause
	FROM o, (
		SELECT jsonb_agg(jsonb_build_object('line', line, 'asked', quantity, 'left', units_left) ORDER BY line) AS short
		FROM lines WHERE quantity > units_left
	) AS too_large
), changed AS (
	INSERT INTO shipments (id, order_id, status, cause, carrier, tracking, subject, request_hash, settled)
	SELECT @id::uuid, id, CASE WHEN cause IS NULL THEN 'SHIPPED' ELSE 'REFUSED' END, cause, @carrier::text, @tracking::text,
		@subject::text, @hash::text, cause IS NOT NULL
	FROM o, verdict
	RETURNING *
), stored AS (
	INSERT INTO shipment_lines (shipment_id, order_id, position, quantity)
	SELECT id, order_id, position, quantity FROM changed, lines WHERE position IS NOT NULL
)` + insertShipmentEntry

// insertShipmentEntry adds an entry for the status of the shipment in "changed", if any. A refused one is none of the order's
// story: whoever recorded it has the answer.
const insertShipmentEntry = `
INSERT INTO order_timeline (order_id, type, happened_at, detail, idempotency_key)
SELECT order_id, status, updated_at, format('%s (shipment %s)', concat_ws(' ', nullif(carrier, ''), nullif(tracking, '')), id),
	id || '.' || status
FROM changed WHERE status <> 'REFUSED'`

// Arrive makes a SHIPPED shipment DELIVERED or LOST. A repetition changes nothing. Returns order.ErrConflict if it has ended
// differently, and order.ErrNotFound if there is no such shipment.
func (s *Shipments) Arrive(ctx context.Context, id order.ShipmentID, status order.ShipmentStatus) (order.Shipment, error) {
	if status != order.Delivered && status != order.LostInTransit {
		return order.Shipment{}, fmt.Errorf("end shipment %s: %q is no end", id, status)
	}
	shipment, err := s.change(ctx, "end", id, pgx.NamedArgs{"id": string(id), "status": string(status)},
		lockOrderOfShipment, arrive, selectShipment)
	if err == nil && shipment.Status != status {
		return shipment, fmt.Errorf("end shipment %s as %s, which is %s: %w", id, status, shipment.Status, order.ErrConflict)
	}
	return shipment, err
}

const lockOrderOfShipment = `
SELECT FROM orders WHERE id = (SELECT order_id FROM shipments WHERE id = @id::uuid) FOR NO KEY UPDATE`

const arrive = `
WITH changed AS (
	UPDATE shipments SET status = @status::text, settled = false, version = version + 1,
		delivered_at = CASE @status::text WHEN 'DELIVERED' THEN greatest(updated_at, now()) END,
		lost_at = CASE @status::text WHEN 'LOST' THEN greatest(updated_at, now()) END,
		updated_at = greatest(updated_at, now())
	WHERE id = @id::uuid AND status = 'SHIPPED'
	RETURNING *
)` + insertShipmentEntry

// FinishShipment marks a shipment as settled if its version is still the one that was announced. Returns order.ErrNotFound
// if there is no such shipment.
func (s *Shipments) FinishShipment(ctx context.Context, id order.ShipmentID, version int64) (order.Shipment, error) {
	return s.change(ctx, "finish", id, pgx.NamedArgs{"id": string(id), "version": version}, finishShipment, selectShipment)
}

const finishShipment = `
UPDATE shipments SET settled = true, version = version + 1, updated_at = greatest(updated_at, now())
WHERE id = @id::uuid AND version = @version::bigint AND NOT settled`

// change sends the statements of a transition, of which the last reads the shipment, and returns the resulting
// shipment.
func (s *Shipments) change(
	ctx context.Context, verb string, id order.ShipmentID, args pgx.NamedArgs, statements ...string,
) (order.Shipment, error) {
	shipment, _, err := transact(ctx, s.pool, scanShipment, args, statements...)
	if err != nil {
		return order.Shipment{}, fmt.Errorf("%s shipment %s: %w", verb, id, err)
	}
	return shipment, nil
}

// Shipment returns a shipment, or order.ErrNotFound.
func (s *Shipments) Shipment(ctx context.Context, id order.ShipmentID) (order.Shipment, error) {
	return s.change(ctx, "read", id, pgx.NamedArgs{"id": string(id)}, selectShipment)
}

// OfOrder returns the shipments of an order, also those that were refused, newest last.
func (s *Shipments) OfOrder(ctx context.Context, id order.ID) ([]order.Shipment, error) {
	shipments, err := collect(ctx, s.pool, scanShipment,
		selectShipments+" WHERE s.order_id = $1 ORDER BY s.shipped_at, s.id", string(id))
	if err != nil {
		return nil, fmt.Errorf("read the shipments of order %s: %w", id, err)
	}
	return shipments, nil
}

// Unsettled returns a page of the shipments that are not announced as they are and that last changed more than minAge ago by
// the database's clock, oldest first, and the cursor of the next page, "" after the last one.
func (s *Shipments) Unsettled(
	ctx context.Context, minAge time.Duration, cursor string, limit int,
) ([]order.Shipment, string, error) {
	return unsettled(ctx, s.pool, scanShipment, selectShipments, "s", minAge, cursor, limit,
		func(s order.Shipment) (time.Time, string) { return s.UpdatedAt, string(s.ID) })
}

const (
	selectShipment  = selectShipments + ` WHERE s.id = @id::uuid`
	selectShipments = `
SELECT s.id::text, s.order_id::text, o.user_id, s.status, s.cause, (
		SELECT coalesce(jsonb_agg(jsonb_build_object('line', l.position, 'productId', product_id, 'name', name,
			'quantity', l.quantity) ORDER BY l.position), '[]')
		FROM shipment_lines l JOIN order_lines i ON i.order_id = l.order_id AND i.position = l.position
		WHERE l.shipment_id = s.id
	), s.carrier, s.tracking, s.subject, s.request_hash, s.settled, s.version, s.shipped_at, s.delivered_at, s.lost_at, s.updated_at
FROM shipments s JOIN orders o ON o.id = s.order_id`
)

func scanShipment(row pgx.CollectableRow) (order.Shipment, error) {
	var s order.Shipment
	var cause, lines []byte
	var delivered, lost zeronull.Timestamptz
	err := row.Scan(&s.ID, &s.OrderID, &s.UserID, &s.Status, &cause, &lines, &s.Carrier, &s.Tracking, &s.Subject, &s.Hash,
		&s.Settled, &s.Version, &s.ShippedAt, &delivered, &lost, &s.UpdatedAt)
	if err != nil {
		return order.Shipment{}, err
	}
	s.ShippedAt, s.DeliveredAt, s.LostAt, s.UpdatedAt = s.ShippedAt.UTC(), utc(delivered), utc(lost), s.UpdatedAt.UTC()
	if err := unmarshal(cause, &s.Cause); err != nil {
		return order.Shipment{}, fmt.Errorf("cause: %w", err)
	}
	if err := unmarshal(lines, &s.Lines); err != nil {
		return order.Shipment{}, fmt.Errorf("lines: %w", err)
	}
	return s, nil
}
