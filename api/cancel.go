package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// cancelWait is how long a cancellation waits for the order's end to be known.
const cancelWait = 10 * time.Second

type cancelInput struct {
	OrderRef
	Body *orderclient.CancelOrder
}

// cancel is POST /orders/{id}/cancel. The saga decides whether it is in time; when the saga has ended meanwhile, the row
// tells how.
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
	decided, err := a.sagas.Cancel(ctx, id, cancelRequest(ctx, in.Body), cancelWait)
	if err != nil && !errors.Is(err, errClosed) && !errors.Is(err, errUndecided) {
		// It may have got through all the same; a row whose end is known is a better answer.
		if row, rowErr := a.store.Order(ctx, id); rowErr == nil && row.Decided() {
			return a.cancelled(row)
		}
		return nil, trouble(ctx, id, err)
	}
	row, rowErr := a.store.Order(ctx, id)
	switch {
	case rowErr == nil:
		o = row
	case err == nil:
		o = decided // the row cannot be read, but the saga has answered
	case !errors.Is(rowErr, order.ErrNotFound):
		return nil, trouble(ctx, id, errors.Join(errUnknown, rowErr))
	}
	// Still PENDING and not closing means: the saga has accepted the cancellation and will act on it, or it was
	// terminated, and recovery will undo the order.
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

// cancelled is the answer to whoever wanted the order not to happen. That it FAILED for another reason is as good.
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
