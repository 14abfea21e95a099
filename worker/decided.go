package worker

import (
	"context"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/postgres"
)

// deciding keeps orders, and reports each one whose end a commit has just decided. Requests that wait for it in the same
// process then need not ask the database.
type deciding struct {
	*postgres.Orders
	decided func(...order.Order) // nil: no one in this process waits
}

// Confirm is the pivot.
func (d deciding) Confirm(ctx context.Context, id order.ID, paymentID string, entries []order.Entry) (order.Order, error) {
	o, err := d.Orders.Confirm(ctx, id, paymentID, entries)
	d.report(o, err)
	return o, err
}

// Close is the fence.
func (d deciding) Close(
	ctx context.Context, req order.Request, cause order.Cause, entries []order.Entry,
) (order.Order, error) {
	o, err := d.Orders.Close(ctx, req, cause, entries)
	d.report(o, err)
	return o, err
}

func (d deciding) report(o order.Order, err error) {
	if d.decided != nil && err == nil && o.Decided() {
		d.decided(o)
	}
}
