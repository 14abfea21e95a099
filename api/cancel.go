package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// cancelWait is how long a cancellation waits, first to be accepted and then for the order's end to be known.
const cancelWait = 10 * time.Second

type cancelInput struct {
	OrderRef
	Body *orderclient.CancelOrder
}

// cancel is POST /orders/{id}/cancel. The saga decides whether it is in time, and the row tells.
func (a *orders) cancel(ctx context.Context, in *cancelInput) (*orderOutput, error) {
	id := in.orderID()
	httpapi.Annotate(ctx, "orderId", in.ID, "workflowId", id.WorkflowID())
	o, err := a.findVisible(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Status.Final() {
		return a.cancelled(o)
	}
	outcome := a.outcomes.expect(id)
	defer a.outcomes.forget(outcome)
	waiting, stop := a.waiting(context.WithoutCancel(ctx), cancelWait) // a client that hangs up stops nothing
	defer stop()

	err = a.engine.Cancel(waiting, id, cancelRequest(ctx, in.Body))
	switch {
	// Accepted: it is in the workflow's history, whatever happens now.
	case err == nil:
		if decided, ok := outcome.await(waiting); ok {
			return a.cancelled(decided)
		}
	// The workflow no longer runs: the row says how it ended, unless it was terminated.
	case errors.Is(err, temporalclient.ErrClosed):
	// It may have been accepted all the same, and a row with a known end is a better response.
	default:
		if row, rowErr := a.store.Order(ctx, id); rowErr == nil && row.Decided() {
			return a.cancelled(row)
		}
		return nil, toProblem(ctx, id, err)
	}
	row, err := a.store.Order(ctx, id)
	switch {
	case err == nil:
		o = row
	case !errors.Is(err, order.ErrNotFound):
		return nil, toProblem(ctx, id, errors.Join(temporalclient.ErrUnknown, err))
	}
	// Still PENDING and not closing: the saga will act on the cancellation, or it was terminated and recovery will undo the
	// order.
	return a.cancelled(o)
}

func cancelRequest(ctx context.Context, body *orderclient.CancelOrder) workflows.CancelRequest {
	req := workflows.CancelRequest{By: workflows.ByUser}
	if principalOf(ctx).operator {
		req.By = workflows.ByOperator
	}
	if body != nil {
		req.Reason = body.Reason
	}
	return req
}

// cancelled is the response to a client that wants the order not to happen. An order that FAILED for another reason will do.
func (a *orders) cancelled(o order.Order) (*orderOutput, error) {
	switch {
	case o.Status == order.Confirmed:
		return nil, orderConfirmed.New("order %s was confirmed before it could be cancelled", o.ID).With("orderId", o.ID)
	case o.Status.Final():
		return a.output(http.StatusOK, o), nil
	default:
		out := a.output(http.StatusAccepted, o)
		out.Location, out.RetryAfter = "/orders/"+string(o.ID), "1"
		return out, nil
	}
}
