package activities

import (
	"context"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// BookWorkflows are the workflows of refunds and shipments, as the Temporal server knows them.
type BookWorkflows interface {
	RefundResumer
	// InterruptedRefunds lists a page of the refunds whose workflow was terminated, failed, timed out or was cancelled at or
	// after since. The list may lag. next is nil after the last page.
	InterruptedRefunds(ctx context.Context, since time.Time, page []byte) (reqs []order.RefundRequest, next []byte, err error)
	// StartShipment makes sure that a workflow announces the shipment as it is.
	StartShipment(ctx context.Context, req order.ShipmentRequest) error
}

// Unsettled reads the refunds, or the shipments, that are not at rest. Pages are as in UnfinishedOrders; rows that changed less
// than minAge ago are left to the workflow that changed them.
type Unsettled[T any] interface {
	Unsettled(ctx context.Context, minAge time.Duration, cursor string, limit int) ([]T, string, error)
}

// BookRecovery holds the activities with which RecoverOrders also brings refunds and shipments to rest. All fields must be set.
type BookRecovery struct {
	Workflows BookWorkflows
	Refunds   Unsettled[order.Refund]
	Shipments Unsettled[order.Shipment]
	MinAge    time.Duration
}

// RecoverInterruptedRefunds resumes each refund whose workflow was interrupted. One that was never booked gets a tombstone, so
// that a late booking is refused. Safe to repeat.
func (r *BookRecovery) RecoverInterruptedRefunds(ctx context.Context, in RecoverInterruptedInput) (Recovered, error) {
	return eachPage(ctx, func(page []byte) ([]order.RefundRequest, []byte, error) {
		reqs, next, err := r.Workflows.InterruptedRefunds(ctx, in.Since, page)
		return reqs, next, translate(err, "list interrupted refunds")
	}, func(ctx context.Context, req order.RefundRequest) (bool, error) {
		return true, translate(r.Workflows.ResumeRefund(ctx, req), "resume refund %s", req.ID)
	})
}

// RecoverUnsettledRefunds resumes each refund that is not at rest. It finds what changed just as its workflow ended, too. Safe to
// repeat: a workflow that runs is joined.
func (r *BookRecovery) RecoverUnsettledRefunds(ctx context.Context) (Recovered, error) {
	return eachPage(ctx, func(page []byte) ([]order.Refund, []byte, error) {
		rows, next, err := r.Refunds.Unsettled(ctx, r.MinAge, string(page), order.MaxPage)
		return rows, []byte(next), translate(err, "list unsettled refunds")
	}, func(ctx context.Context, row order.Refund) (bool, error) {
		return true, translate(r.Workflows.ResumeRefund(ctx, row.Request()), "resume refund %s", row.ID)
	})
}

// RecoverUnsettledShipments has each shipment announced that is not at rest. Safe to repeat.
func (r *BookRecovery) RecoverUnsettledShipments(ctx context.Context) (Recovered, error) {
	return eachPage(ctx, func(page []byte) ([]order.Shipment, []byte, error) {
		rows, next, err := r.Shipments.Unsettled(ctx, r.MinAge, string(page), order.MaxPage)
		return rows, []byte(next), translate(err, "list unsettled shipments")
	}, func(ctx context.Context, row order.Shipment) (bool, error) {
		return true, translate(r.Workflows.StartShipment(ctx, row.Request()), "resume shipment %s", row.ID)
	})
}
