package activities

import (
	"context"

	"github.com/ordersaga/ordersaga/internal/order"
)

// RefundEvents announces refunds.
type RefundEvents interface {
	// PublishRefund returns only when the broker has taken responsibility for the event. Publishing it again is harmless.
	PublishRefund(ctx context.Context, e order.RefundEvent) error
}

// Refunding holds the steps of RefundOrder. All fields must be set.
type Refunding struct {
	Refunds Refunds
	Gateway RefundGateway
	Catalog Returns
	Events  RefundEvents
}

// BookRefund is the pivot: it stores the refund as BOOKED, or as REFUSED by the books. The row says which. Safe to repeat: the
// ID is the primary key, and an existing row is returned unchanged.
func (r *Refunding) BookRefund(ctx context.Context, in order.RefundRequest) (order.Refund, error) {
	row, err := r.Refunds.Book(ctx, in)
	return row, translate(err, "book refund %s of order %s", in.ID, in.OrderID)
}

// FenceRefundInput says why a refund is given up.
type FenceRefundInput struct {
	Request order.RefundRequest `json:"request"` // fills the row when there is none
	Cause   order.RefundCause   `json:"cause"`
}

// FenceRefund is the fence: after it, BookRefund is refused unless the refund was booked before. Safe to repeat: the first row
// stays.
func (r *Refunding) FenceRefund(ctx context.Context, in FenceRefundInput) (order.Refund, error) {
	row, err := r.Refunds.Fence(ctx, in.Request, in.Cause)
	return row, translate(err, "fence refund %s of order %s", in.Request.ID, in.Request.OrderID)
}

// RefundMoney asks the gateway for a booked refund. A refusal is a result: after the pivot, errors are retried until they
// heal. Safe to repeat: the gateway knows the refund by idempotency keys and metadata.
func (r *Refunding) RefundMoney(ctx context.Context, in order.Refund) (order.RefundOutcome, error) {
	outcome, err := r.Gateway.RefundPart(ctx, in)
	return outcome, translate(err, "give back refund %s of order %s", in.ID, in.OrderID)
}

// FindRefundResult is what the gateway has of a refund. Found is false when it has none.
type FindRefundResult struct {
	Found   bool                `json:"found"`
	Outcome order.RefundOutcome `json:"outcome"`
}

// FindRefund looks a refund up at the gateway without asking for it. Safe to repeat: it only reads.
func (r *Refunding) FindRefund(ctx context.Context, in order.Refund) (FindRefundResult, error) {
	outcome, found, err := r.Gateway.FindRefund(ctx, in)
	return FindRefundResult{Found: found, Outcome: outcome}, translate(err, "find refund %s of order %s", in.ID, in.OrderID)
}

// SettleRefundInput is what the gateway said about a refund.
type SettleRefundInput struct {
	RefundID order.RefundID      `json:"refundId"`
	Outcome  order.RefundOutcome `json:"outcome"`
}

// SettleRefund records what the gateway said. Safe to repeat, and in any order: a status only climbs.
func (r *Refunding) SettleRefund(ctx context.Context, in SettleRefundInput) (order.Refund, error) {
	row, err := r.Refunds.Settle(ctx, in.RefundID, in.Outcome)
	return row, translate(err, "settle refund %s", in.RefundID)
}

// ReturnUnitsInput is what the catalog takes back.
type ReturnUnitsInput struct {
	OrderID  order.ID           `json:"orderId"`
	RefundID order.RefundID     `json:"refundId"`
	Lines    []order.ReturnLine `json:"lines"`
}

// ReturnUnits gives the units back to the catalog and records it. Safe to repeat: the return is keyed by the refund.
func (r *Refunding) ReturnUnits(ctx context.Context, in ReturnUnitsInput) (order.Refund, error) {
	if err := r.Catalog.Return(ctx, in.OrderID, in.RefundID, in.Lines); err != nil {
		return order.Refund{}, translate(err, "return the units of refund %s of order %s", in.RefundID, in.OrderID)
	}
	return r.RecordUnits(ctx, RecordUnitsInput{RefundID: in.RefundID, Units: order.UnitsDone})
}

// RecordUnitsInput says what became of a refund's units.
type RecordUnitsInput struct {
	RefundID order.RefundID    `json:"refundId"`
	Units    order.UnitsStatus `json:"units"` // DONE or SKIPPED
}

// RecordUnits records what became of the units. Safe to repeat: the first record stays.
func (r *Refunding) RecordUnits(ctx context.Context, in RecordUnitsInput) (order.Refund, error) {
	row, err := r.Refunds.ReturnedUnits(ctx, in.RefundID, in.Units)
	return row, translate(err, "record the units of refund %s", in.RefundID)
}

// PublishRefund announces what became of the refund. Safe to repeat: the message ID is the same each time.
func (r *Refunding) PublishRefund(ctx context.Context, in order.RefundEvent) error {
	return translate(r.Events.PublishRefund(ctx, in), "publish %s of refund %s", in.Type, in.RefundID)
}

// FinishRefundInput names the version of the refund that was announced.
type FinishRefundInput struct {
	RefundID order.RefundID `json:"refundId"`
	Version  int64          `json:"version"`
}

// FinishRefund brings the refund to rest unless it has changed since it was announced. The row says which. Safe to repeat.
func (r *Refunding) FinishRefund(ctx context.Context, in FinishRefundInput) (order.Refund, error) {
	row, err := r.Refunds.Finish(ctx, in.RefundID, in.Version)
	return row, translate(err, "finish refund %s", in.RefundID)
}
