package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// place is POST /orders.
func (a *orders) place(ctx context.Context, in *placeInput) (*orderOutput, error) {
	if p := principalOf(ctx); !p.sees(in.Body.UserID) {
		return nil, problem.Forbidden.New("the token is about user %d: orders can be placed for that user only", p.userID)
	}
	req := toRequest(in.Body, in.IdempotencyKey, a.defaultPaymentMethod)
	req.CreatedAt = a.now().UTC().Truncate(order.TimeResolution)
	httpapi.Annotate(ctx, "orderId", req.ID, "workflowId", req.ID.WorkflowID())
	prefer := parsePrefer(in.Prefer)

	o, replayed, err := a.placeOnce(ctx, req, in.IdempotencyKey != "", prefer.wait)
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

// placeOnce makes sure that the order's saga runs or has run, waits for its outcome, and returns the order, decided or not.
// Replayed: an earlier request with the same key placed it.
func (a *orders) placeOnce(
	ctx context.Context, req order.Request, keyed bool, wait time.Duration,
) (o order.Order, replayed bool, err error) {
	waiting, cancel := a.waiting(ctx, wait) // starting the saga counts
	defer cancel()

	// The row remembers a key even when Temporal has forgotten the workflow. An order without a key is new.
	known, exists := pending(req), false
	if keyed {
		switch row, err := a.store.Order(ctx, req.ID); {
		case err == nil:
			known, exists = row, true
		case !errors.Is(err, order.ErrNotFound):
			return order.Order{}, false, toProblem(ctx, req.ID, err)
		}
	}
	switch {
	case known.Hash != req.Hash:
		return order.Order{}, false, reused(req.ID)
	case known.Decided():
		return known, true, nil
	}

	// The request waits before it starts the order: a worker in this process could commit before the start returns.
	outcome := a.outcomes.expect(req.ID)
	defer a.outcomes.forget(outcome)
	fresh, err := a.engine.Start(ctx, req)
	if err != nil {
		return order.Order{}, false, toProblem(ctx, req.ID, err)
	}

	// Another request has started this saga, and there was no row when we looked. Whether it was for the same order is in
	// the workflow's memo: Temporal does not compare what two starts want to start.
	if keyed && !fresh && !exists {
		s, err := a.engine.Describe(ctx, req.ID)
		if err != nil {
			return order.Order{}, false, toProblem(ctx, req.ID, errors.Join(temporalclient.ErrUnknown, err))
		}
		if known = pending(s.Request); known.Hash != req.Hash {
			return order.Order{}, false, reused(req.ID)
		}
	}

	if decided, ok := outcome.await(waiting); ok {
		known = decided
	} else if row, err := a.store.Order(ctx, req.ID); err == nil {
		known = row
	} // else there is no row yet, or the database is away: the saga runs nevertheless
	return known, keyed && (exists || !fresh), nil
}

// waiting returns the context of a request that waits for its order. It also ends when the program is asked to stop: the
// request then gets what is known, and does not hold up the end.
func (a *orders) waiting(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, min(wait, a.longestWait))
	unlink := context.AfterFunc(a.running, cancel)
	return ctx, func() { unlink(); cancel() }
}

func reused(id order.ID) error {
	return keyReused.New("the key belongs to order %s, which was placed with another body", id).With("orderId", id)
}

// placed is the response to a client that placed the order.
func (a *orders) placed(o order.Order, replayed bool) (*orderOutput, error) {
	var mark string
	if replayed {
		mark = "true"
	}
	// Not confirmed, and never will be: the cause becomes a problem.
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
	// Not decided in time: the client looks again.
	if o.Status != order.Confirmed {
		out.Status = http.StatusAccepted
		out.RetryAfter = "1"
	}
	return out, nil
}
