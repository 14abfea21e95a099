package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Sagas are the workflows of the orders, as the Temporal server knows them.
type Sagas interface {
	// Interrupted lists, page by page, orders of which a workflow ended at or after since in another way than
	// completing. The list may lag. next is nil behind the last page.
	Interrupted(ctx context.Context, since time.Time, page []byte) (ids []order.ID, next []byte, err error)
	// State returns the state of the order's first workflow. It does not lag.
	State(ctx context.Context, id order.ID) (order.SagaState, error)
	// Request returns what the order's workflow, or else its recovery, was started with. order.ErrNoRequest when neither holds
	// a request for this order.
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
	Log    *slog.Logger
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
// says. An order that cannot be recovered does not keep the others waiting: it is logged, and the search goes on. Safe
// to repeat: an order is recovered by at most one workflow at a time, and once.
func (r *Recovery) RecoverInterrupted(
	ctx context.Context, in RecoverInterruptedInput,
) (result RecoverInterruptedResult, err error) {
	ids, next, err := r.Sagas.Interrupted(ctx, in.Since, in.Page)
	if err != nil {
		return result, translate(err, "list interrupted orders")
	}
	for _, id := range ids {
		recovered, err := r.recoverInterrupted(ctx, id)
		if err != nil {
			return result, err
		}
		if recovered {
			result.Recovered++
		}
	}
	result.Next = next
	return result, nil
}

// recoverInterrupted returns an error only when asking again may help: the server is not there.
func (r *Recovery) recoverInterrupted(ctx context.Context, id order.ID) (recovered bool, err error) {
	state, err := r.Sagas.State(ctx, id)
	if err != nil {
		return false, translate(err, "look up the workflow of order %s", id)
	}
	if state == order.SagaRunning || state == order.SagaCompleted {
		return false, nil // it was reset, and goes on or went on
	}
	req, err := r.Sagas.Request(ctx, id)
	if errors.Is(err, order.ErrNoRequest) {
		// Started by hand, with something that is no order. If there is a row, the search among the rows finds it.
		r.Log.Error("an interrupted order cannot be recovered from its workflow", "orderId", id, "error", err.Error())
		return false, nil
	}
	if err != nil {
		return false, translate(err, "read the request of order %s", id)
	}
	if err := r.Sagas.Recover(ctx, req); err != nil {
		return false, translate(err, "recover order %s", id)
	}
	return true, nil
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
		recovered, err := r.recoverUnfinished(ctx, row)
		if err != nil {
			return result, err
		}
		if recovered {
			result.Recovered++
		}
	}
	result.Next = next
	return result, nil
}

func (r *Recovery) recoverUnfinished(ctx context.Context, row order.Order) (recovered bool, err error) {
	state, err := r.Sagas.State(ctx, row.ID)
	switch {
	case err != nil:
		return false, translate(err, "look up the workflow of order %s", row.ID)
	case state == order.SagaRunning:
		return false, nil
	case state == order.SagaCompleted:
		// Either it completed since the page was read, or the database has lost its last commits. Undoing on our own an
		// order that its customer may have been told is confirmed would be wrong: a person has to look.
		r.Log.Warn("an order is PENDING although its workflow has completed", "orderId", row.ID, "updatedAt", row.UpdatedAt)
		return false, nil
	}
	if err := r.Sagas.Recover(ctx, requestOf(row)); err != nil {
		return false, translate(err, "recover order %s", row.ID)
	}
	return true, nil
}

func requestOf(o order.Order) order.Request {
	return order.Request{
		ID: o.ID, UserID: o.UserID, Items: order.Items(o.Items), PaymentMethod: o.PaymentMethod, Hash: o.Hash,
	}
}
