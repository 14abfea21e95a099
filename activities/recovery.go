package activities

import (
	"context"
	"time"

	"ordersaga/internal/order"
)

// Sagas are the workflows of the orders, as the Temporal server knows them.
type Sagas interface {
	// Interrupted lists, page by page, orders of which a workflow ended at or after since in another way than
	// completing. The list may lag. next is nil behind the last page.
	Interrupted(ctx context.Context, since time.Time, page []byte) (ids []order.ID, next []byte, err error)
	// Unattended reports whether the order has no workflow that is running or has completed. It does not lag.
	Unattended(ctx context.Context, id order.ID) (bool, error)
	// Request returns what the order's workflow was started with.
	Request(ctx context.Context, id order.ID) (order.Request, error)
	// Recover starts the recovery of an order. It does nothing when one is running or has completed.
	Recover(ctx context.Context, req order.Request) error
}

// UnfinishedOrders reads the orders that have not reached their end.
type UnfinishedOrders interface {
	// Unfinished returns a page of the PENDING orders created at least minAge ago, oldest first, and the cursor of the
	// next page, empty behind the last. The first page has an empty cursor.
	Unfinished(ctx context.Context, minAge time.Duration, cursor string, limit int) ([]order.Order, string, error)
}

// Recovery holds the activities of RecoverOrders. All fields must be set.
type Recovery struct {
	Sagas  Sagas
	Orders UnfinishedOrders
	MinAge time.Duration // rows younger than this are left to their workflow, which may just be starting
}

// RecoverInterruptedInput asks for one page of interrupted workflows.
type RecoverInterruptedInput struct {
	Since time.Time `json:"since"`
	Page  []byte    `json:"page,omitempty"`
}

// RecoverInterruptedResult says where the next page begins; nil when there is none.
type RecoverInterruptedResult struct {
	Next      []byte `json:"next,omitempty"`
	Recovered int    `json:"recovered"`
}

// RecoverInterrupted starts RecoverOrder for each order on a page of interrupted workflows, whatever the order's row
// says. Safe to repeat: an order is recovered by at most one workflow at a time, and once.
func (r *Recovery) RecoverInterrupted(
	ctx context.Context, in RecoverInterruptedInput,
) (result RecoverInterruptedResult, err error) {
	ids, next, err := r.Sagas.Interrupted(ctx, in.Since, in.Page)
	if err != nil {
		return result, translate(err, "list interrupted orders")
	}
	for _, id := range ids {
		unattended, err := r.Sagas.Unattended(ctx, id)
		if err != nil {
			return result, translate(err, "look up the workflow of order %s", id)
		}
		if !unattended {
			continue // it was reset, and goes on or went on
		}
		req, err := r.Sagas.Request(ctx, id)
		if err != nil {
			return result, translate(err, "read the request of order %s", id)
		}
		if err := r.Sagas.Recover(ctx, req); err != nil {
			return result, translate(err, "recover order %s", id)
		}
		result.Recovered++
	}
	result.Next = next
	return result, nil
}

// RecoverUnfinishedInput asks for one page of unfinished rows.
type RecoverUnfinishedInput struct {
	Cursor string `json:"cursor,omitempty"`
}

// RecoverUnfinishedResult says where the next page begins; empty when there is none.
type RecoverUnfinishedResult struct {
	Next      string `json:"next,omitempty"`
	Recovered int    `json:"recovered"`
}

// RecoverUnfinished starts RecoverOrder for each PENDING row on a page that has no workflow to bring it to its end.
// Safe to repeat, as RecoverInterrupted.
func (r *Recovery) RecoverUnfinished(
	ctx context.Context, in RecoverUnfinishedInput,
) (result RecoverUnfinishedResult, err error) {
	rows, next, err := r.Orders.Unfinished(ctx, r.MinAge, in.Cursor, order.MaxPage)
	if err != nil {
		return result, translate(err, "list unfinished orders")
	}
	for _, row := range rows {
		unattended, err := r.Sagas.Unattended(ctx, row.ID)
		if err != nil {
			return result, translate(err, "look up the workflow of order %s", row.ID)
		}
		if !unattended {
			continue
		}
		if err := r.Sagas.Recover(ctx, requestOf(row)); err != nil {
			return result, translate(err, "recover order %s", row.ID)
		}
		result.Recovered++
	}
	result.Next = next
	return result, nil
}

func requestOf(o order.Order) order.Request {
	return order.Request{
		ID: o.ID, UserID: o.UserID, Items: order.Items(o.Items), PaymentMethod: o.PaymentMethod, Hash: o.Hash,
	}
}
