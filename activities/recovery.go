package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Workflows are the orders' workflows, as the Temporal server knows them.
type Workflows interface {
	// Interrupted lists a page of the orders whose workflow was terminated, failed, timed out or was cancelled at or after
	// since. The list may lag. next is nil after the last page.
	Interrupted(ctx context.Context, since time.Time, page []byte) (ids []order.ID, next []byte, err error)
	// State returns the state of the order's CreateOrder workflow. It does not lag.
	State(ctx context.Context, id order.ID) (order.SagaState, error)
	// Request returns the input of the order's workflow, or else of its recovery. It is order.ErrNoRequest when neither
	// holds a request for this order.
	Request(ctx context.Context, id order.ID) (order.Request, error)
	// Recover starts the recovery of an order. It does nothing when one is running or has completed.
	Recover(ctx context.Context, req order.Request) error
	// RecoverAgain is Recover, also when a recovery has completed: its effect is lost.
	RecoverAgain(ctx context.Context, req order.Request) error
	// Rerun runs the order's saga again. It does nothing while a recovery is running.
	Rerun(ctx context.Context, req order.Request) error
}

// UnfinishedOrders reads the orders that have not reached their end.
type UnfinishedOrders interface {
	// Order returns an order, or order.ErrNotFound.
	Order(ctx context.Context, id order.ID) (order.Order, error)
	// Unfinished returns a page of the PENDING orders created at least minAge ago, oldest first, and the cursor of the
	// next page, which is empty after the last. The first page has an empty cursor.
	Unfinished(ctx context.Context, minAge time.Duration, cursor string, limit int) ([]order.Order, string, error)
}

// Recovery holds the activities of RecoverOrders. All fields must be set.
type Recovery struct {
	Workflows Workflows
	Orders    UnfinishedOrders
	MinAge    time.Duration // rows younger than this are left to their workflow, which may just be starting
	Log       *slog.Logger
}

// RecoverInterruptedInput says where the search begins.
type RecoverInterruptedInput struct {
	Since time.Time `json:"since"` // workflows that ended earlier were found by an earlier search
}

// Recovered counts the orders for which RecoverOrder was started, or already running.
type Recovered struct {
	Orders int `json:"orders"`
}

// RecoverInterrupted starts RecoverOrder for each order whose workflow was interrupted, whatever the order's row says. An
// order that cannot be recovered does not hold up the others: it is logged, and the search goes on. Safe to repeat: an
// order is recovered by at most one workflow at a time, and once.
func (r *Recovery) RecoverInterrupted(ctx context.Context, in RecoverInterruptedInput) (Recovered, error) {
	return eachPage(ctx, func(page []byte) ([]order.ID, []byte, error) {
		ids, next, err := r.Workflows.Interrupted(ctx, in.Since, page)
		return ids, next, translate(err, "list interrupted orders")
	}, r.recoverInterrupted)
}

// recoverInterrupted returns an error only when a retry may help: the server does not respond.
func (r *Recovery) recoverInterrupted(ctx context.Context, id order.ID) (recovered bool, err error) {
	state, err := r.Workflows.State(ctx, id)
	if err != nil {
		return false, translate(err, "look up the workflow of order %s", id)
	}
	// An operator reset it: it goes on, or went on, by itself.
	if state == order.SagaRunning || state == order.SagaCompleted {
		return false, nil
	}
	req, err := r.Workflows.Request(ctx, id)
	// An operator started it by hand with an invalid request. If there is a row, RecoverUnfinished finds it.
	if errors.Is(err, order.ErrNoRequest) {
		r.Log.Error("an interrupted order cannot be recovered from its workflow", "orderId", id, "error", err.Error())
		return false, nil
	}
	if err != nil {
		return false, translate(err, "read the request of order %s", id)
	}
	return true, translate(r.Workflows.Recover(ctx, req), "recover order %s", id)
}

// RecoverUnfinished starts RecoverOrder for each PENDING row that has no workflow to finish it: its workflow was interrupted or
// forgotten, or has completed, and the database has lost what it wrote. Safe to repeat, like RecoverInterrupted.
func (r *Recovery) RecoverUnfinished(ctx context.Context) (Recovered, error) {
	return eachPage(ctx, func(page []byte) ([]order.Order, []byte, error) {
		rows, next, err := r.Orders.Unfinished(ctx, r.MinAge, string(page), order.MaxPage)
		return rows, []byte(next), translate(err, "list unfinished orders")
	}, r.recoverUnfinished)
}

func (r *Recovery) recoverUnfinished(ctx context.Context, row order.Order) (recovered bool, err error) {
	state, err := r.Workflows.State(ctx, row.ID)
	if err != nil {
		return false, translate(err, "look up the workflow of order %s", row.ID)
	}
	if state == order.SagaRunning {
		return false, nil
	}
	// A workflow writes the row before it completes. So if it has completed since the page was read, the row has changed too.
	row, err = r.Orders.Order(ctx, row.ID)
	switch {
	case errors.Is(err, order.ErrNotFound), err == nil && row.Status.Final():
		return false, nil
	case err != nil:
		return false, translate(err, "read order %s again", row.ID)
	}
	recover := r.Workflows.RecoverAgain
	if state == order.SagaCompleted {
		// The customer has been told how the order ended. Unwinding it could end it differently.
		recover = r.Workflows.Rerun
		r.Log.Warn("an order is PENDING although its workflow has completed: its saga runs again",
			"orderId", row.ID, "updatedAt", row.UpdatedAt)
	}
	return true, translate(recover(ctx, row.Request()), "recover order %s", row.ID)
}

// searchProgress is the heartbeat of a search: a retry goes on where the attempt before it stopped.
type searchProgress struct {
	Page      []byte    `json:"page,omitempty"` // to read next
	Recovered Recovered `json:"recovered"`
}

// eachPage recovers the orders on every page of a list. Each page is a heartbeat.
func eachPage[T any](
	ctx context.Context, read func(page []byte) ([]T, []byte, error), recover func(context.Context, T) (bool, error),
) (Recovered, error) {
	var at searchProgress
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &at); err != nil {
			at = searchProgress{} // an unreadable heartbeat only costs time
		}
	}
	for {
		found, next, err := read(at.Page)
		if err != nil {
			return at.Recovered, err
		}
		for _, one := range found {
			recovered, err := recover(ctx, one)
			if err != nil {
				return at.Recovered, err
			}
			if recovered {
				at.Recovered.Orders++
			}
		}
		if len(next) == 0 {
			return at.Recovered, nil
		}
		at.Page = next
		activity.RecordHeartbeat(ctx, at)
	}
}
