package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// Refunds stores refunds and disputes. It is safe for concurrent use.
type Refunds struct{ pool *pgxpool.Pool }

// NewRefunds returns the refunds in the pool's database, whose schema Migrate creates. The caller closes the pool.
func NewRefunds(pool *pgxpool.Pool) *Refunds { return &Refunds{pool} }

// Book stores the request as BOOKED, or as REFUSED by the books and settled. It computes the amount and the values of the
// lines. If the row already exists, Book changes nothing and returns that row, whatever else the request says. Returns
// order.ErrNotFound if there is no such order.
func (s *Refunds) Book(ctx context.Context, req order.RefundRequest) (order.Refund, error) {
	return s.book(ctx, "book", req, nil)
}

// Fence makes sure that the refund can no longer be booked. Without a row it stores the request as REFUSED with the cause,
// and settled; otherwise it changes nothing. Returns order.ErrNotFound if there is no such order.
func (s *Refunds) Fence(ctx context.Context, req order.RefundRequest, cause order.RefundCause) (order.Refund, error) {
	return s.book(ctx, "fence", req, &cause)
}

func (s *Refunds) book(
	ctx context.Context, verb string, req order.RefundRequest, cause *order.RefundCause,
) (order.Refund, error) {
	if err := req.Check(); err != nil {
		if r, found := s.Refund(ctx, req.ID); found == nil {
			return r, nil
		}
		return order.Refund{}, fmt.Errorf("%s refund %s: %w", verb, req.ID, err)
	}
	return s.change(ctx, verb, req.ID, pgx.NamedArgs{
		"id": string(req.ID), "order": string(req.OrderID), "kind": string(req.Kind), "by": string(req.By),
		"subject": storable(req.Subject), "money": string(req.Money), "whole": req.WholeOrder(), "items": itemsJSON(req.Items),
		"amount": req.Amount.Amount, "currency": req.Amount.Currency, "replaces": orNull(string(req.Replaces)),
		"reason": storable(req.Reason), "message": storable(req.Message), "hash": storable(req.Hash),
		"since": orNull(req.ConfirmedSince), "cause": refundCauseJSON(cause),
	}, lockOrder, bookRefund, selectRefund)
}

// Settle records what the gateway said, if its status is of a higher rank than the row's: a stale look-up changes nothing.
// A refund that was REFUSED and had happened becomes late. No sum is checked. Returns order.ErrNotFound if there is no such
// refund.
func (s *Refunds) Settle(ctx context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error) {
	if err := outcome.Check(); err != nil {
		return order.Refund{}, fmt.Errorf("settle refund %s: %w", id, err)
	}
	return s.change(ctx, "settle", id, settleArgs(id, outcome), lockOrderOfRefund, settleRefund, selectRefund)
}

func settleArgs(id order.RefundID, outcome order.RefundOutcome) pgx.NamedArgs {
	return pgx.NamedArgs{
		"id": string(id), "status": string(outcome.Status), "gateway": orNull(storable(outcome.GatewayID)),
		"cause": refundCauseJSON(outcome.Why()),
	}
}

const lockOrderOfRefund = `
SELECT FROM orders WHERE id = (SELECT order_id FROM refunds WHERE id = @id::uuid) FOR NO KEY UPDATE`

// A row changes at or after its last change: now() is when the transaction began, which may have waited since.
var settleRefund = `
WITH changed AS (
	UPDATE refunds SET
		status = @status::text, late = late OR status = 'REFUSED', cause = @cause::jsonb,
		gateway_id = coalesce(gateway_id, @gateway::text), units = CASE @status::text WHEN 'REFUSED' THEN 'NONE' ELSE units END,
		accepted_at = CASE WHEN @status::text <> 'REFUSED' THEN coalesce(accepted_at, greatest(updated_at, now())) END,
		refused_at = CASE @status::text WHEN 'REFUSED' THEN greatest(updated_at, now()) ELSE refused_at END,
		failed_at = CASE @status::text WHEN 'FAILED' THEN greatest(updated_at, now()) END,
		settled = false, version = version + 1, updated_at = greatest(updated_at, now())
	WHERE id = @id::uuid AND refund_rank(status) < refund_rank(@status::text)
	RETURNING *
)` + insertRefundEntry

// insertRefundEntry adds an entry for the status of the refund in "changed", if any.
var insertRefundEntry = `
INSERT INTO order_timeline (order_id, type, happened_at, detail, idempotency_key)
SELECT order_id, type, updated_at, detail, id || '.' || type FROM changed, LATERAL (
	SELECT 'REFUND_' || CASE status WHEN 'PENDING' THEN 'ACCEPTED' ELSE status END AS type,
		format('%s of %s%s (refund %s)', kind, ` + plainAmount("amount", "currency") + `, ': ' || (cause ->> 'reason'), id) AS detail
) AS entry`

// BookOutside stores a refund that was made at the gateway and that names no refund of ours, once per gateway ID, and then
// records its status as Settle does. Returns order.ErrNotFound unless there is an order that was confirmed with this payment
// and in this currency.
func (s *Refunds) BookOutside(ctx context.Context, id order.ID, found order.GatewayRefund) (order.Refund, error) {
	outcome := found.Outcome()
	err := outcome.Check()
	if err == nil {
		err = found.Amount.Validate()
	}
	refund := order.OutsideRefundID(found.ID)
	if err != nil {
		return order.Refund{}, fmt.Errorf("book refund %s, made at the gateway: %w", found.ID, err)
	}
	args := settleArgs(refund, outcome)
	args["order"], args["payment"] = string(id), storable(found.PaymentID)
	args["amount"], args["currency"] = found.Amount.Amount, found.Amount.Currency
	return s.change(ctx, "book", refund, args, lockOrder, bookOutside, settleRefund, selectRefund)
}

const bookOutside = `
INSERT INTO refunds (id, order_id, kind, requested_by, money, amount, currency, status, gateway_id, units)
SELECT @id::uuid, id, 'OUTSIDE', 'GATEWAY', 'GATEWAY', @amount::bigint, total_currency, 'BOOKED', @gateway::text, 'NONE'
FROM orders WHERE id = @order::uuid AND payment_id = @payment::text AND total_currency = @currency::text
ON CONFLICT (id) DO NOTHING`

// ReturnedUnits records that the catalog has the units of an accepted refund (order.UnitsDone), or that an operator skipped
// that (order.UnitsSkipped). Returns order.ErrNotFound if there is no such refund.
func (s *Refunds) ReturnedUnits(ctx context.Context, id order.RefundID, units order.UnitsStatus) (order.Refund, error) {
	if units != order.UnitsDone && units != order.UnitsSkipped {
		return order.Refund{}, fmt.Errorf("return the units of refund %s: unknown status %q", id, units)
	}
	return s.change(ctx, "return the units of", id, pgx.NamedArgs{"id": string(id), "units": string(units)},
		returnedUnits, selectRefund)
}

const returnedUnits = `
UPDATE refunds SET units = @units::text, version = version + 1, updated_at = greatest(updated_at, now())
WHERE id = @id::uuid AND units = 'DUE' AND status IN ('PENDING', 'SUCCEEDED', 'FAILED')`

// Finish marks a refund as settled if its version is still the one that was announced, and nothing of it is left to do.
// Returns order.ErrNotFound if there is no such refund.
func (s *Refunds) Finish(ctx context.Context, id order.RefundID, version int64) (order.Refund, error) {
	return s.change(ctx, "finish", id, pgx.NamedArgs{"id": string(id), "version": version}, finishRefund, selectRefund)
}

const finishRefund = `
UPDATE refunds SET settled = true, version = version + 1, updated_at = greatest(updated_at, now())
WHERE id = @id::uuid AND version = @version::bigint AND NOT settled AND status <> 'BOOKED' AND units <> 'DUE'`

// change sends the statements of a transition, of which the last reads the refund, and returns the resulting refund.
func (s *Refunds) change(
	ctx context.Context, verb string, id order.RefundID, args pgx.NamedArgs, statements ...string,
) (order.Refund, error) {
	r, _, err := transact(ctx, s.pool, scanRefund, args, statements...)
	if err != nil {
		return order.Refund{}, fmt.Errorf("%s refund %s: %w", verb, id, err)
	}
	return r, nil
}

// lockOrder makes the statements that follow it in a transaction take turns with all others of the order's books. It is a
// statement of its own because a statement sees only what was committed when it began: one that locked and summed would
// wait for the lock, and then sum what it saw before it waited.
const lockOrder = `SELECT FROM orders WHERE id = @order::uuid FOR NO KEY UPDATE`

// plainAmount is an SQL expression that writes an amount as moneytext.Plain does.
func plainAmount(amount, currency string) string {
	return fmt.Sprintf(`(SELECT CASE
		WHEN %[2]s IS NULL THEN '–'
		WHEN digits IS NULL THEN %[1]s || ' minor units of ' || %[2]s
		ELSE round(%[1]s / 10::numeric ^ digits, digits) || ' ' || %[2]s
	END FROM (SELECT ('%[3]s'::jsonb ->> %[2]s)::integer AS digits) AS currency)`, amount, currency, pgdb.JSON(moneytext.Decimals()))
}

// itemsJSON is an array also when there are no items.
func itemsJSON(items []order.RefundItem) string {
	return pgdb.JSON(append([]order.RefundItem{}, items...))
}

func refundCauseJSON(cause *order.RefundCause) *string {
	if cause == nil {
		return nil
	}
	c := *cause
	c.Message = storable(c.Message)
	text := pgdb.JSON(c)
	return &text
}

// orNull returns nil, which is stored as null, for a zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// selectRefund reads one refund; selectRefunds reads them with any condition.
const (
	selectRefund  = selectRefunds + ` WHERE r.id = @id::uuid`
	selectRefunds = `
SELECT r.id::text, r.order_id::text, o.user_id, r.kind, r.requested_by, r.subject, r.money, r.amount, coalesce(r.currency, ''),
	r.status, r.late, r.cause, (
		SELECT jsonb_agg(jsonb_build_object('line', l.position, 'productId', product_id, 'name', name, 'quantity', l.quantity,
				'restock', restock, 'value', jsonb_build_object('amount', value, 'currency', coalesce(o.total_currency, '')))
			ORDER BY l.position)
		FROM refund_lines l JOIN order_lines i ON i.order_id = l.order_id AND i.position = l.position WHERE l.refund_id = r.id
	), coalesce(o.payment_id, ''), o.created_at, coalesce(r.gateway_id, ''), r.reason, r.message, r.request_hash,
	coalesce(r.replaces::text, ''), r.units, r.settled, r.version, r.created_at, r.accepted_at, r.refused_at, r.failed_at,
	r.updated_at
FROM refunds r JOIN orders o ON o.id = r.order_id`
)

func scanRefund(row pgx.CollectableRow) (order.Refund, error) {
	var r order.Refund
	var cause, lines []byte
	var accepted, refused, failed zeronull.Timestamptz
	err := row.Scan(&r.ID, &r.OrderID, &r.UserID, &r.Kind, &r.By, &r.Subject, &r.Money, &r.Amount.Amount, &r.Amount.Currency,
		&r.Status, &r.Late, &cause, &lines, &r.PaymentID, &r.OrderedAt, &r.GatewayID, &r.Reason, &r.Message, &r.Hash,
		&r.Replaces, &r.Units, &r.Settled, &r.Version, &r.CreatedAt, &accepted, &refused, &failed, &r.UpdatedAt)
	if err != nil {
		return order.Refund{}, err
	}
	r.AcceptedAt, r.RefusedAt, r.FailedAt = utc(accepted), utc(refused), utc(failed)
	r.OrderedAt, r.CreatedAt, r.UpdatedAt = r.OrderedAt.UTC(), r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	if err := unmarshal(cause, &r.Cause); err != nil {
		return order.Refund{}, fmt.Errorf("cause: %w", err)
	}
	if err := unmarshal(lines, &r.Lines); err != nil {
		return order.Refund{}, fmt.Errorf("lines: %w", err)
	}
	return r, nil
}

func utc(t zeronull.Timestamptz) time.Time { return time.Time(t).UTC() }

// unmarshal leaves into as it is for a null.
func unmarshal(column []byte, into any) error {
	if column == nil {
		return nil
	}
	return json.Unmarshal(column, into)
}
