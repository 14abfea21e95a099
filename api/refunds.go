package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// registerRefunds adds the operations on refunds. secure adds what they have in common, and the scopes.
func (a *orders) registerRefunds(api *httpapi.API, secure func(huma.Operation, ...string) huma.Operation) {
	refundType := reflect.TypeFor[orderclient.Refund]()
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "refundOrder", Method: http.MethodPost, Path: "/orders/{id}/refunds", Summary: "Refund a part of an order",
		Description: "Books the refund, which sets its money and units aside, asks the gateway for the money, and then takes " +
			"the units back. Waits for the gateway's answer, for 10 seconds unless Prefer names another time. 201: the gateway " +
			"has accepted it. 202: not answered in time; look at Location.",
		DefaultStatus: http.StatusCreated,
		Responses:     alsoResponds(api, http.StatusAccepted, "Accepted: the gateway has not answered yet", refundType),
	}, scopeOperator), a.refund, append(refusalTypes(), orderNotFound, keyReused, problem.Unavailable, outcomeUnknown)...)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "getRefund", Method: http.MethodGet, Path: "/orders/{id}/refunds/{refundId}", Summary: "Get a refund",
	}, scopeOrders, scopeOperator), a.getRefund, orderNotFound, refundNotFound, problem.Unavailable)
	httpapi.Register(api, secure(huma.Operation{
		OperationID: "listRefunds", Method: http.MethodGet, Path: "/orders/{id}/refunds",
		Summary:     "List the refunds of an order, oldest first",
		Description: "Customers do not see those that the books refused: nothing happened, and the sender knows why.",
	}, scopeOrders, scopeOperator), a.listRefunds, orderNotFound, problem.Unavailable)
}

type refundInput struct {
	OrderRef
	IdempotencyKey string `header:"Idempotency-Key" required:"true" maxLength:"255" pattern:"^[\\x21-\\x7e]+$" example:"rma-1042"`
	Prefer         string `header:"Prefer" example:"wait=5"`
	Body           orderclient.NewRefund
}

// Resolve rejects what the schema allows and no order can have.
func (in *refundInput) Resolve(huma.Context) []error { return refundMistakes(in.Body) }

type refundOutput struct {
	Status            int
	Location          string `header:"Location"`
	RetryAfter        string `header:"Retry-After"`
	CacheControl      string `header:"Cache-Control"`
	Replayed          string `header:"Idempotency-Replayed"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              orderclient.Refund
}

// refund is POST /orders/{id}/refunds.
func (a *orders) refund(ctx context.Context, in *refundInput) (*refundOutput, error) {
	req := toRefundRequest(in.orderID(), in.IdempotencyKey, auth.TokenOf(ctx).Subject, in.Body)
	httpapi.Annotate(ctx, "orderId", in.ID, "workflowId", req.ID.WorkflowID())
	o, err := a.findVisible(ctx, in.orderID())
	if err != nil {
		return nil, err
	}
	if o.Status != order.Confirmed { // it may have no row to book on, and may still be confirmed
		return nil, notConfirmed(o.ID)
	}
	if mistakes := misfits(in.Body, o); mistakes != nil {
		return nil, huma.Error422UnprocessableEntity("", mistakes...)
	}
	prefer := parsePrefer(in.Prefer)
	r, replayed, err := a.refundOnce(ctx, req, prefer.wait)
	if err != nil {
		return nil, err
	}
	var mark string
	if replayed {
		mark = "true"
	}
	if r.Status == order.RefundRefused {
		p := refusedRefund(r)
		if replayed {
			p.WithHeader("Idempotency-Replayed", mark)
		}
		return nil, p
	}
	out := &refundOutput{
		Status: http.StatusCreated, Location: refundPath(r), CacheControl: "private, no-cache", Replayed: mark,
		PreferenceApplied: prefer.applied, Body: toRefund(r, true),
	}
	if !r.Status.Accepted() {
		out.Status, out.RetryAfter = http.StatusAccepted, "1"
	}
	return out, nil
}

func refundPath(r order.Refund) string {
	return "/orders/" + string(r.OrderID) + "/refunds/" + string(r.ID)
}

// refundOnce makes sure that the refund's saga runs or has run, waits for what the books or the gateway say, and returns the
// refund, answered or not. Replayed: an earlier request with the same key asked for it.
func (a *orders) refundOnce(
	ctx context.Context, req order.RefundRequest, wait time.Duration,
) (r order.Refund, replayed bool, err error) {
	waiting, cancel := a.waiting(ctx, wait) // starting the saga counts
	defer cancel()

	// The row remembers a key even when Temporal has forgotten the workflow.
	known, err := a.refunds.Refund(ctx, req.ID)
	exists := err == nil
	switch {
	case errors.Is(err, order.ErrNotFound):
		known = requested(req)
	case err != nil:
		return order.Refund{}, false, refundProblem(ctx, req, err)
	case known.Hash != req.Hash:
		return order.Refund{}, false, reusedForRefund(req)
	case known.Status != order.RefundBooked:
		return known, true, nil
	}

	// The request waits before it starts the refund: it misses nothing.
	answer := a.refunded.expect(req.ID)
	defer a.refunded.forget(answer)
	fresh, err := a.engine.StartRefund(ctx, req)
	if err != nil {
		return order.Refund{}, false, refundProblem(ctx, req, err)
	}
	// Another request has started this saga, and there was no row when we looked. Temporal does not compare what two starts
	// want to start.
	if !fresh && !exists {
		started, err := a.engine.RefundRequest(ctx, req.ID)
		if err != nil {
			return order.Refund{}, false, refundProblem(ctx, req, errors.Join(temporalclient.ErrUnknown, err))
		}
		if known = requested(started); known.Hash != req.Hash {
			return order.Refund{}, false, reusedForRefund(req)
		}
	}
	if answered, ok := answer.await(waiting); ok {
		known = answered
	} else if row, err := a.refunds.Refund(ctx, req.ID); err == nil {
		known = row
	} // else there is no row yet, or the database is away: the saga runs nevertheless
	return known, exists || !fresh, nil
}

// RefundRef names the refund that an operation is about. It is exported because huma ignores embedded types that are not.
type RefundRef struct {
	OrderRef
	RefundID string `path:"refundId" pattern:"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" example:"5d7f7a52-9c1e-8b3a-a1b2-0f7f2f3c1a2b"`
}

// getRefund is GET /orders/{id}/refunds/{refundId}.
func (a *orders) getRefund(ctx context.Context, in *RefundRef) (*refundOutput, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	if _, err := a.findVisible(ctx, in.orderID()); err != nil {
		return nil, err
	}
	r, err := a.findRefund(ctx, order.RefundID(in.RefundID))
	if err == nil && r.OrderID != in.orderID() {
		err = order.ErrNotFound
	}
	switch {
	case errors.Is(err, order.ErrNotFound):
		return nil, refundNotFound.New("order %s has no refund %s", in.ID, in.RefundID).With("orderId", in.ID)
	case err != nil:
		return nil, toProblem(ctx, in.orderID(), err)
	}
	out := &refundOutput{
		Status: http.StatusOK, CacheControl: "private, no-cache", Body: toRefund(r, principalOf(ctx).all),
	}
	if !r.Status.Accepted() && r.Status != order.RefundRefused {
		out.RetryAfter = "1"
	}
	return out, nil
}

// findRefund returns a refund: its row, or the input of its saga until the saga has written the row. It returns
// order.ErrNotFound if there is neither.
func (a *orders) findRefund(ctx context.Context, id order.RefundID) (order.Refund, error) {
	r, err := a.refunds.Refund(ctx, id)
	if !errors.Is(err, order.ErrNotFound) {
		return r, err
	}
	req, err := a.engine.RefundRequest(ctx, id)
	if err != nil {
		return order.Refund{}, err
	}
	if r, err := a.refunds.Refund(ctx, id); err == nil { // written since the first look
		return r, nil
	}
	return requested(req), nil
}

type refundsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         orderclient.RefundList
}

// listRefunds is GET /orders/{id}/refunds.
func (a *orders) listRefunds(ctx context.Context, in *OrderRef) (*refundsOutput, error) {
	httpapi.Annotate(ctx, "orderId", in.ID)
	if _, err := a.findVisible(ctx, in.orderID()); err != nil {
		return nil, err
	}
	found, err := a.refunds.OfOrder(ctx, in.orderID())
	if err != nil {
		return nil, toProblem(ctx, in.orderID(), err)
	}
	all := principalOf(ctx).all
	list := orderclient.RefundList{Refunds: []orderclient.Refund{}}
	for _, r := range found {
		if all || !r.RefusedByBooks() {
			list.Refunds = append(list.Refunds, toRefund(r, all))
		}
	}
	return &refundsOutput{"private, no-cache", list}, nil
}
