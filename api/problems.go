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

// The kinds of problems of this program, besides those that every program has.
var (
	outOfStock = problem.Type{
		Name: "out-of-stock", Status: http.StatusBadRequest, Title: "Out of stock",
		Advice: "There is less of some products than was asked for: shortages names each with the units requested and available. Nothing was charged. Order less, or again later, as a new order.",
	}
	paymentDeclined = problem.Type{
		Name: "payment-declined", Status: http.StatusBadRequest, Title: "Payment declined",
		Advice: "The payment gateway declined for good; declineCode says why. Nothing was charged and the stock was given back. Order again with another payment method, as a new order.",
	}
	mixedCurrencies = problem.Type{
		Name: "mixed-currencies", Status: http.StatusBadRequest, Title: "Mixed currencies",
		Advice: "The products are priced in different currencies. Place one order per currency.",
	}
	invalidAmount = problem.Type{
		Name: "invalid-amount", Status: http.StatusBadRequest, Title: "Amount cannot be charged",
		Advice: "The order's total is zero or too large to be charged. Order something else or less, as a new order.",
	}
	productNotFound = problem.Type{
		Name: "product-not-found", Status: http.StatusNotFound, Title: "Product not found",
		Advice: "The catalog does not know the products in productIds. Nothing was charged. Order without them, as a new order.",
	}
	orderCancelled = problem.Type{
		Name: "order-cancelled", Status: http.StatusConflict, Title: "Order cancelled",
		Advice: "Somebody cancelled the order before it was confirmed; reason says who. Nothing is kept of the payment or the stock.",
	}
	orderTimedOut = problem.Type{
		Name: "order-timed-out", Status: http.StatusConflict, Title: "Order timed out",
		Advice: "The order could not be completed in time because something that it needs was down. Nothing is kept of the payment or the stock. Order again, as a new order.",
	}
	orderFailed = problem.Type{
		Name: "order-failed", Status: http.StatusConflict, Title: "Order failed",
		Advice: "The order could not be completed; reason says why. Nothing is kept of the payment or the stock. Order again, as a new order.",
	}
	orderConfirmed = problem.Type{
		Name: "order-confirmed", Status: http.StatusConflict, Title: "Order is already confirmed",
		Advice: "The order was confirmed before it could be cancelled, and is on its way. It can no longer be cancelled here.",
	}
	orderNotFound = problem.Type{
		Name: "order-not-found", Status: http.StatusNotFound, Title: "Order not found",
		Advice: "There is no such order among those that you may see. Check the ID.",
	}
	keyReused = problem.Type{
		Name: "idempotency-key-reused", Status: http.StatusUnprocessableEntity, Title: "Idempotency key reused",
		Advice: "This Idempotency-Key was used before for another order, the one in orderId. Use a new key for a new order, and the very same body to repeat one.",
	}
	outcomeUnknown = problem.Type{
		Name: "outcome-unknown", Status: http.StatusServiceUnavailable, Title: "Outcome unknown",
		Advice: "The request may or may not have been accepted: the answer was lost. Look at orderId after the time in Retry-After. To repeat the request safely send it again with the same Idempotency-Key; without a key, repeat it only when the order is still not found.",
	}
)

// refusals is the table from why an order ended to what a waiting client is told. Reasons that are not in it are
// answered as order-failed.
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

// refusal is the answer about an order that ended, or is sure to end, otherwise than confirmed.
func refusal(o order.Order) *problem.Problem {
	if o.Cause == nil { // the database refuses such rows
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

// retryAfter is when a client should try again, or look again.
const (
	retryAfterOutage = 5 * time.Second
	retryAfterSaga   = time.Second
)

// trouble turns an error of the store or of Temporal into a problem, and logs it: it says nothing to a client.
func trouble(ctx context.Context, id order.ID, err error) error {
	unknown := errors.Is(err, temporalclient.ErrUnknown)
	if errors.Is(err, order.ErrNotFound) && !unknown {
		return notFound(id)
	}
	httpapi.Log(ctx).Warn("cannot answer", "error", err.Error())
	if unknown {
		return outcomeUnknown.New("it is not known whether the request was accepted").
			With("orderId", id).RetryAfter(retryAfterOutage)
	}
	p := problem.Unavailable.New("orders cannot be reached at the moment; nothing was done").RetryAfter(retryAfterOutage)
	if id != "" {
		p.With("orderId", id)
	}
	return p
}

func notFound(id order.ID) *problem.Problem {
	return orderNotFound.New("there is no order %s", id).With("orderId", id)
}
