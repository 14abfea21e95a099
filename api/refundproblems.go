package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The types of problems about refunds. A refund that was refused has moved neither money nor units.
var (
	refundNotFound = problem.Type{
		Name: "refund-not-found", Status: http.StatusNotFound, Title: "Refund not found",
		Advice: "The order has no such refund. Check both IDs.",
	}
	refundTooLarge = problem.Type{
		Name: "refund-too-large", Status: http.StatusConflict, Title: "Refund is too large",
		Advice: "Less money is left of the order than the refund asks for: left says how much. Ask for less, under a new key.",
	}
	quantityTooLarge = problem.Type{
		Name: "quantity-too-large", Status: http.StatusConflict, Title: "Too many units",
		Advice: "Some lines of the order have fewer units left than were asked for: lines says how many. Once shipments are " +
			"recorded, only shipped units can be returned. Ask for less, under a new key.",
	}
	nothingLeft = problem.Type{
		Name: "nothing-left", Status: http.StatusConflict, Title: "Nothing is left to give back",
		Advice: "All of the order was given back already, or is being given back. List its refunds.",
	}
	orderShipped = problem.Type{
		Name: "order-shipped", Status: http.StatusConflict, Title: "Order was shipped",
		Advice: "Units that were shipped cannot be cancelled. A customer can cancel only before anything is shipped. An operator " +
			"can cancel what is not shipped, by lines, and refund what comes back as a RETURN.",
	}
	orderNotConfirmed = problem.Type{
		Name: "order-not-confirmed", Status: http.StatusConflict, Title: "Order is not confirmed",
		Advice: "Only confirmed orders can be refunded. Cancel a PENDING order instead; for the others no money was kept.",
	}
	paymentDisputed = problem.Type{
		Name: "payment-disputed", Status: http.StatusConflict, Title: "Payment is disputed",
		Advice: "The customer's bank has taken the payment back, or may. Settle the dispute at the gateway. Units that came back " +
			"can be booked with money NONE.",
	}
	notReplaceable = problem.Type{
		Name: "not-replaceable", Status: http.StatusConflict, Title: "Refund cannot be replaced",
		Advice: "replaces must name a FAILED refund of the same order that no other refund replaces.",
	}
	cancelWindowOver = problem.Type{
		Name: "cancel-window-over", Status: http.StatusConflict, Title: "Too late to cancel",
		Advice: "The time in which customers can cancel a confirmed order is over. Ask the shop.",
	}
	refundRefused = problem.Type{
		Name: "refund-refused", Status: http.StatusConflict, Title: "Refund was refused",
		Advice: "The payment gateway or an operator refused the refund for good; reason says why. Neither money nor units were " +
			"moved. Pay by other means (money OTHER), or ask again under a new key.",
	}
)

// booksRefusals maps the reasons for which the books refuse a refund to problems.
var booksRefusals = map[order.RefundReason]problem.Type{
	order.RefundTooLarge:    refundTooLarge,
	order.QuantityTooLarge:  quantityTooLarge,
	order.NothingLeft:       nothingLeft,
	order.OrderShipped:      orderShipped,
	order.OrderNotConfirmed: orderNotConfirmed,
	order.PaymentDisputed:   paymentDisputed,
	order.NotReplaceable:    notReplaceable,
	order.CancelWindowOver:  cancelWindowOver,
}

// refusalTypes are the problems about refunds that an operator asks for.
func refusalTypes() []problem.Type {
	return []problem.Type{
		refundTooLarge, quantityTooLarge, nothingLeft, orderShipped, orderNotConfirmed, paymentDisputed, notReplaceable,
		refundRefused,
	}
}

// refusedRefund returns the problem about a REFUSED refund.
func refusedRefund(r order.Refund) *problem.Problem {
	c := order.RefundCause{Reason: order.GatewayRefused, Message: "the refund was refused"}
	if r.Cause != nil { // always: the database rejects other rows
		c = *r.Cause
	}
	t, known := booksRefusals[c.Reason]
	if !known || c.By != order.RefusedByBooks {
		t = refundRefused
	}
	p := t.New("%s", c.Message).With("orderId", r.OrderID).With("refundId", r.ID).With("reason", c.Reason)
	if c.Left != nil {
		p.With("left", toMoney(*c.Left))
	}
	if len(c.Lines) > 0 {
		p.With("lines", c.Lines)
	}
	return p
}

func notConfirmed(id order.ID) error {
	return orderNotConfirmed.New("order %s is not confirmed", id).With("orderId", id).With("reason", order.OrderNotConfirmed)
}

func reusedForRefund(req order.RefundRequest) error {
	return keyReused.New("the key belongs to refund %s, which was asked for with another body", req.ID).
		With("orderId", req.OrderID).With("refundId", req.ID)
}

// refundProblem is toProblem for a request that asks for a refund.
func refundProblem(ctx context.Context, req order.RefundRequest, err error) error {
	err = toProblem(ctx, req.OrderID, err)
	var p *problem.Problem
	if errors.As(err, &p) && p.Type == outcomeUnknown.URI() {
		p.With("refundId", req.ID)
	}
	return err
}

// describeProblems adds to the schema of a problem the members that problems about orders and refunds have.
func describeProblems(api *httpapi.API) {
	schemas := api.OpenAPI().Components.Schemas
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	members := schemas.Map()["Problem"].Properties
	members["orderId"] = text("The order concerned.")
	members["refundId"] = text("The refund concerned.")
	members["reason"] = text("Why the order ended, or the refund was refused.")
	members["left"] = schemas.Schema(reflect.TypeFor[orderclient.Money](), true, "")
	members["lines"] = &huma.Schema{
		Type: huma.TypeArray, Items: schemas.Schema(reflect.TypeFor[orderclient.LineLeft](), true, ""),
		Description: "The lines of the order that have fewer units left than were asked for.",
	}
}
