package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/auth"
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

// cancel is POST /orders/{id}/cancel. The saga of a PENDING order decides whether it is in time, and the row tells. What is
// left of a CONFIRMED order is given back.
func (a *orders) cancel(ctx context.Context, in *cancelInput) (*orderOutput, error) {
	id := in.orderID()
	httpapi.Annotate(ctx, "orderId", in.ID, "workflowId", id.WorkflowID())
	o, err := a.findVisible(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // a client that hangs up stops nothing
	req := cancelRequest(ctx, in.Body)
	if !o.Status.Final() {
		if o, err = a.cancelSaga(ctx, o, req); err != nil {
			return nil, err
		}
	}
	if o.Status == order.Confirmed { // perhaps before it could be cancelled
		return a.giveBack(ctx, o, req)
	}
	return a.cancelled(o), nil
}

// cancelSaga asks the saga of a PENDING order to cancel it, waits for what comes of that, and returns the order.
func (a *orders) cancelSaga(ctx context.Context, o order.Order, req workflows.CancelRequest) (order.Order, error) {
	id := o.ID
	outcome := a.outcomes.expect(id)
	defer a.outcomes.forget(outcome)
	waiting, stop := a.waiting(ctx, cancelWait)
	defer stop()

	err := a.engine.Cancel(waiting, id, req)
	switch {
	// Accepted: it is in the workflow's history, whatever happens now.
	case err == nil:
		if decided, ok := outcome.await(waiting); ok {
			return decided, nil
		}
	// The workflow no longer runs: the row says how it ended, unless it was terminated.
	case errors.Is(err, temporalclient.ErrClosed):
	// It may have been accepted all the same, and a row with a known end is a better response.
	default:
		if row, rowErr := a.store.Order(ctx, id); rowErr == nil && row.Decided() {
			return row, nil
		}
		return order.Order{}, toProblem(ctx, id, err)
	}
	row, err := a.store.Order(ctx, id)
	switch {
	case err == nil:
		o = row
	case !errors.Is(err, order.ErrNotFound):
		return order.Order{}, toProblem(ctx, id, errors.Join(temporalclient.ErrUnknown, err))
	}
	// Still PENDING and not closing: the saga will act on the cancellation, or it was terminated and recovery will undo the
	// order.
	return o, nil
}

// giveBack refunds all that is left of a confirmed order, once.
func (a *orders) giveBack(ctx context.Context, o order.Order, cancel workflows.CancelRequest) (*orderOutput, error) {
	req := order.RefundRequest{
		ID: cancellationID(o.ID), OrderID: o.ID, Kind: order.Cancellation, By: order.ByUser, Money: order.ThroughGateway,
		Subject: auth.TokenOf(ctx).Subject, Reason: cancel.Reason, Hash: requestHash(cancellationIDDomain, o.ID),
	}
	if cancel.By == workflows.ByOperator {
		req.By = order.ByOperator
	} else if a.cancelWindow > 0 {
		req.ConfirmedSince = a.now().Add(-a.cancelWindow)
	}
	httpapi.Annotate(ctx, "workflowId", req.ID.WorkflowID())
	r, _, err := a.refundOnce(ctx, req, cancelWait)
	if err != nil {
		return nil, err
	}
	if r.Status == order.RefundRefused {
		return nil, refusedRefund(r)
	}
	if o, err = a.store.Order(ctx, o.ID); err != nil {
		return nil, refundProblem(ctx, req, errors.Join(temporalclient.ErrUnknown, err))
	}
	out := a.output(http.StatusOK, o)
	out.Location = refundPath(r)
	if !r.Status.Accepted() {
		out.Status, out.RetryAfter = http.StatusAccepted, "1"
	}
	return out, nil
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
func (a *orders) cancelled(o order.Order) *orderOutput {
	if o.Status.Final() {
		return a.output(http.StatusOK, o)
	}
	out := a.output(http.StatusAccepted, o)
	out.Location, out.RetryAfter = "/orders/"+string(o.ID), "1"
	return out
}
