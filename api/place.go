package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
)

// place is POST /orders.
func (a *orders) place(ctx context.Context, in *placeInput) (*orderOutput, error) {
	if p := principalOf(ctx); !p.sees(in.Body.UserID) {
		return nil, problem.Forbidden.New("the token is about user %d: orders can be placed for that user only", p.userID)
	}
	req := toRequest(in.Body, in.IdempotencyKey, a.defaultPaymentMethod)
	httpapi.Annotate(ctx, "orderId", req.ID, "workflowId", req.ID.WorkflowID())
	prefer := parsePrefer(in.prefer)
	var o order.Order
	var replayed bool
	var err error
	if in.IdempotencyKey == "" {
		o, _, err = a.startAndSee(ctx, req, prefer)
		if err == nil && o.ID == "" {
			o = a.pending(req)
		}
	} else {
		o, replayed, err = a.placeUnderKey(ctx, req, prefer)
	}
	if err != nil {
		return nil, err
	}
	out, err := a.placed(o, replayed)
	if err != nil {
		return nil, err
	}
	out.PreferenceApplied = prefer.applied
	return out, nil
}

// placeUnderKey answers from the order's row when its end is known there. Otherwise it starts the saga, or joins the one
// that runs, and makes sure that it is about the same request.
func (a *orders) placeUnderKey(
	ctx context.Context, req order.Request, prefer preference,
) (o order.Order, replayed bool, err error) {
	row, err := a.store.Order(ctx, req.ID)
	switch {
	case err == nil && row.Hash != req.Hash:
		return order.Order{}, false, reused(req.ID)
	case err == nil && row.Decided():
		return row, true, nil
	case err != nil && !errors.Is(err, order.ErrNotFound):
		return order.Order{}, false, trouble(ctx, req.ID, err)
	}
	o, fresh, err := a.startAndSee(ctx, req, prefer)
	switch {
	case err != nil:
		return order.Order{}, false, err
	case fresh && o.ID == "":
		return a.pending(req), false, nil
	case fresh:
		return o, false, nil
	case o.ID == "":
		s, err := a.sagas.Describe(ctx, req.ID)
		if err != nil {
			return order.Order{}, false, trouble(ctx, req.ID, errors.Join(errUnknown, err))
		}
		o = s.pending()
	}
	if o.Hash != req.Hash {
		return order.Order{}, false, reused(req.ID)
	}
	return o, true, nil
}

func reused(id order.ID) error {
	return keyReused.New("the key belongs to order %s, which was placed with another body", id).With("orderId", id)
}

// startAndSee starts the saga and returns the order as far as it is known when the client has waited long enough: as the
// saga says, else as the row says, else the zero Order. Fresh reports whether this call started the saga.
func (a *orders) startAndSee(
	ctx context.Context, req order.Request, prefer preference,
) (o order.Order, fresh bool, err error) {
	if prefer.wait > 0 {
		o, fresh, err = a.sagas.StartAndWait(ctx, req, prefer.wait)
	} else if fresh, err = a.sagas.Start(ctx, req); err == nil {
		err = errUndecided
	}
	switch {
	case err == nil:
		return o, fresh, nil
	case !errors.Is(err, errUndecided):
		return order.Order{}, false, trouble(ctx, req.ID, err)
	}
	row, err := a.store.Order(ctx, req.ID)
	if err != nil { // there is none yet, or it cannot be read now: the saga is on its way all the same
		return order.Order{}, fresh, nil
	}
	return row, fresh, nil
}

// pending is an order that was just placed and of which nothing else is known yet.
func (a *orders) pending(req order.Request) order.Order {
	return started{Request: req, at: a.now()}.pending()
}

// placed is the answer to whoever placed the order.
func (a *orders) placed(o order.Order, replayed bool) (*orderOutput, error) {
	var mark string
	if replayed {
		mark = "true"
	}
	if o.Decided() && o.Status != order.Confirmed {
		p := refusal(o)
		if replayed {
			p.WithHeader("Idempotency-Replayed", mark)
		}
		return nil, p
	}
	out := a.output(http.StatusCreated, o)
	out.Location = "/orders/" + string(o.ID)
	out.Replayed = mark
	if o.Status != order.Confirmed {
		out.Status = http.StatusAccepted
		out.RetryAfter = "1"
	}
	return out, nil
}
