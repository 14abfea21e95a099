package api

import (
	"context"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// engine runs the sagas of orders and their refunds: temporalclient.Workflows, which says more about each method.
type engine interface {
	// Start makes sure that the order's saga runs or has run, and reports whether this call started it. Errors:
	// temporalclient.ErrUnavailable, ErrUnknown.
	Start(ctx context.Context, req order.Request) (started bool, err error)
	// Describe returns what the order's saga was started with, or order.ErrNotFound.
	Describe(ctx context.Context, id order.ID) (temporalclient.Started, error)
	// Cancel returns nil once the order's saga has accepted the cancellation. Errors: temporalclient.ErrClosed,
	// ErrUnavailable, ErrUnknown.
	Cancel(ctx context.Context, id order.ID, req workflows.CancelRequest) error
	// StartRefund makes sure that the refund's saga runs or has run, and reports whether this call started it. Errors:
	// temporalclient.ErrUnavailable, ErrUnknown.
	StartRefund(ctx context.Context, req order.RefundRequest) (started bool, err error)
	// RefundRequest returns what the refund's saga was started with, or order.ErrNotFound.
	RefundRequest(ctx context.Context, id order.RefundID) (order.RefundRequest, error)
}
