package api

import (
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// refundMistakes returns what the schema of a NewRefund does not say, as far as it can be seen without the order.
func refundMistakes(r orderclient.NewRefund) (mistakes []error) {
	wrong := func(location, message string) {
		mistakes = append(mistakes, &huma.ErrorDetail{Location: location, Message: message})
	}
	switch {
	case r.Kind == orderclient.Return && len(r.Lines) == 0:
		wrong("lines", "a RETURN needs lines")
	case r.Kind == orderclient.Goodwill && len(r.Lines) > 0:
		wrong("lines", "a GOODWILL refund has no lines")
	}
	switch {
	case r.Kind == orderclient.Goodwill && r.Amount == nil:
		wrong("amount", "a GOODWILL refund needs an amount")
	case r.Money == orderclient.NoMoney && r.Amount != nil:
		wrong("amount", "there is none when no money moves")
	}
	seen := map[int]bool{}
	for i, it := range r.Lines {
		if seen[it.Line] {
			wrong(fmt.Sprintf("lines[%d].line", i), "the line is named twice")
		}
		seen[it.Line] = true
		if it.Restock != nil && *it.Restock > it.Quantity {
			wrong(fmt.Sprintf("lines[%d].restock", i), "is more than the quantity")
		}
	}
	return mistakes
}

// misfits returns what does not fit the order, which is confirmed.
func misfits(r orderclient.NewRefund, o order.Order) (mistakes []error) {
	for i, it := range r.Lines {
		if it.Line > len(o.Items) {
			mistakes = append(mistakes, &huma.ErrorDetail{
				Location: fmt.Sprintf("lines[%d].line", i), Message: fmt.Sprintf("the order has %d lines", len(o.Items)),
			})
		}
	}
	if r.Amount != nil && r.Amount.Currency != o.Total.Currency {
		mistakes = append(mistakes, &huma.ErrorDetail{
			Location: "amount.currency", Message: "the order is in " + o.Total.Currency,
		})
	}
	return mistakes
}

// toRefundRequest returns the input of the saga of a refund that an operator asks for.
func toRefundRequest(id order.ID, key, subject string, r orderclient.NewRefund) order.RefundRequest {
	req := order.RefundRequest{
		ID: refundID(id, key), OrderID: id, Kind: order.RefundKind(r.Kind), By: order.ByOperator, Subject: subject,
		Money: order.RefundMoney(r.Money), Replaces: order.RefundID(r.Replaces), Reason: r.Reason, Message: r.Message,
		Hash: requestHash(refundRequestDomain, r),
	}
	if req.Money == "" {
		req.Money = order.ThroughGateway
	}
	for _, it := range r.Lines {
		item := order.RefundItem{Line: it.Line, Quantity: it.Quantity, Restock: it.Quantity}
		if it.Restock != nil {
			item.Restock = *it.Restock
		}
		req.Items = append(req.Items, item)
	}
	if r.Amount != nil {
		req.Amount = money.Money{Amount: r.Amount.Amount, Currency: r.Amount.Currency}
	}
	return req
}

// statusRequested is the status of a refund whose row has not been written yet. Stores do not know it.
const statusRequested = order.RefundStatus(orderclient.RefundRequested)

// requested returns a refund without a row, from the input of its saga.
func requested(req order.RefundRequest) order.Refund {
	return order.Refund{
		ID: req.ID, OrderID: req.OrderID, Kind: req.Kind, By: req.By, Subject: req.Subject, Money: req.Money, Amount: req.Amount,
		Status: statusRequested, Reason: req.Reason, Message: req.Message, Replaces: req.Replaces, Hash: req.Hash,
	}
}

// toRefund shows a refund to a client. Only operators see its trail.
func toRefund(r order.Refund, operator bool) orderclient.Refund {
	w := orderclient.Refund{
		ID: string(r.ID), OrderID: string(r.OrderID), Status: orderclient.RefundStatus(r.Status),
		Kind: orderclient.RefundKind(r.Kind), Money: orderclient.RefundMoney(r.Money), Amount: toMoney(r.Amount),
		Lines: make([]orderclient.RefundLine, len(r.Lines)), Message: r.Message, CreatedAt: toTime(r.CreatedAt),
		AcceptedAt: toTime(r.AcceptedAt), EndedAt: toTime(r.RefusedAt),
	}
	for i, l := range r.Lines {
		w.Lines[i] = orderclient.RefundLine{
			Line: l.Line, ProductID: l.ProductID, Quantity: l.Quantity, Restock: l.Restock, Value: toMoney(l.Value),
		}
	}
	switch r.Status {
	case order.RefundPending, order.RefundSucceeded: // a late one was refused before
		w.EndedAt = nil
	case order.RefundFailed:
		w.EndedAt = toTime(r.FailedAt)
	}
	if r.Cause != nil {
		w.Reason = string(r.Cause.Reason)
	}
	if operator {
		w.Operator = toTrail(r)
	}
	return w
}

func toTrail(r order.Refund) *orderclient.RefundTrail {
	t := &orderclient.RefundTrail{
		RequestedBy: string(r.By), Subject: r.Subject, Reason: r.Reason, GatewayID: r.GatewayID, Replaces: string(r.Replaces),
		Units: string(r.Units), Late: r.Late,
	}
	if r.Cause != nil {
		t.RefusedBy, t.Explanation = string(r.Cause.By), r.Cause.Message
	}
	return t
}

// toTime shows a time. Zero means that it has not come yet.
func toTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}
