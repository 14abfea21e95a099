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

// The types of problems of this program, besides those of every program.
var (
	outOfStock = problem.Type{
		Name: "out-of-stock", Status: http.StatusBadRequest, Title: "Out of stock",
		Advice: "There are fewer units of some products than requested; shortages lists them with the units requested and " +
			"available. Nothing was charged. Place a new order for less, or later.",
	}
	paymentDeclined = problem.Type{
		Name: "payment-declined", Status: http.StatusBadRequest, Title: "Payment declined",
		Advice: "The payment gateway declined the payment; declineCode says why. Nothing was charged and no stock is held. " +
			"Place a new order with another payment method.",
	}
	mixedCurrencies = problem.Type{
		Name: "mixed-currencies", Status: http.StatusBadRequest, Title: "Mixed currencies",
		Advice: "The products are priced in different currencies. Place one order per currency.",
	}
	invalidAmount = problem.Type{
		Name: "invalid-amount", Status: http.StatusBadRequest, Title: "Amount cannot be charged",
		Advice: "The order's total is zero or too large to be charged. Place another order.",
	}
	productNotFound = problem.Type{
		Name: "product-not-found", Status: http.StatusNotFound, Title: "Product not found",
		Advice: "The catalog does not know the products in productIds. Nothing was charged. Place a new order without them.",
	}
	orderCancelled = problem.Type{
		Name: "order-cancelled", Status: http.StatusConflict, Title: "Order cancelled",
		Advice: "A customer or an operator cancelled the order before it was confirmed; see reason. No money is kept and no " +
			"stock held.",
	}
	orderTimedOut = problem.Type{
		Name: "order-timed-out", Status: http.StatusConflict, Title: "Order timed out",
		Advice: "A service was down, so the order could not be completed in time. No money is kept and no stock held. " +
			"Place a new order.",
	}
	orderFailed = problem.Type{
		Name: "order-failed", Status: http.StatusConflict, Title: "Order failed",
		Advice: "The order could not be completed; reason says why. No money is kept and no stock held. Place a new order.",
	}
	orderNotFound = problem.Type{
		Name: "order-not-found", Status: http.StatusNotFound, Title: "Order not found",
		Advice: "There is no such order, or it belongs to another user. Check the ID.",
	}
	keyReused = problem.Type{
		Name: "idempotency-key-reused", Status: http.StatusUnprocessableEntity, Title: "Idempotency key reused",
		Advice: "The Idempotency-Key belongs to another order, the one in orderId, or to another refund, the one in refundId. " +
			"Use a new key for something new, and the same body to repeat a request.",
	}
	outcomeUnknown = problem.Type{
		Name: "outcome-unknown", Status: http.StatusServiceUnavailable, Title: "Outcome unknown",
		Advice: "The result was lost, so the request may or may not have been accepted. Get the order in orderId, or its refund " +
			"in refundId, after the number of seconds in Retry-After. It is safe to repeat the request with the same " +
			"Idempotency-Key. Without a key, repeat it only if the order is still not found.",
	}
)

// refusals maps the reason of an order's end to the problem for a waiting client. Other reasons become order-failed.
var refusals = map[order.Reason]problem.Type{
	order.OutOfStock:          outOfStock,
	order.ProductNotFound:     productNotFound,
	order.MixedCurrencies:     mixedCurrencies,
	order.InvalidAmount:       invalidAmount,
	order.PaymentDeclined:     paymentDeclined,
	order.ReservationLost:     orderFailed,
	order.TimedOut:            orderTimedOut,
	order.CancelledByUser:     orderCancelled,
	order.CancelledByOperator: orderCancelled,
	order.Interrupted:         orderFailed,
}

// refusal returns the problem about an order that has failed or was cancelled, or certainly will be.
func refusal(o order.Order) *problem.Problem {
	if o.Cause == nil { // impossible: the database rejects such rows
		return orderFailed.New("the order could not be completed").With("orderId", o.ID)
	}
	c := *o.Cause
	t, ok := refusals[c.Reason]
	if !ok {
		t = orderFailed
	}
	p := t.New("%s", c.Message).With("orderId", o.ID).With("reason", c.Reason)
	if c.DeclineCode != "" {
		p.With("declineCode", c.DeclineCode)
	}
	if len(c.Shortages) > 0 {
		p.With("shortages", c.Shortages)
	}
	if len(c.ProductIDs) > 0 {
		p.With("productIds", c.ProductIDs)
	}
	return p
}

// retryAfterOutage is the time after which a client should repeat a request.
const retryAfterOutage = 5 * time.Second

// toProblem logs an error of the store or of Temporal and turns it into a problem, which does not show its text.
func toProblem(ctx context.Context, id order.ID, err error) error {
	unknown := errors.Is(err, temporalclient.ErrUnknown)
	if errors.Is(err, order.ErrNotFound) && !unknown {
		return orderNotFound.New("there is no order %s", id).With("orderId", id)
	}
	httpapi.Log(ctx).Warn("orders are unavailable", "error", err.Error())
	if unknown {
		return outcomeUnknown.New("it is not known whether the request was accepted").
			With("orderId", id).RetryAfter(retryAfterOutage)
	}
	p := problem.Unavailable.New("orders are unavailable at the moment; the request had no effect").RetryAfter(retryAfterOutage)
	if id != "" {
		p.With("orderId", id)
	}
	return p
}
