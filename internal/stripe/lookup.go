package stripe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Payment returns the payment's present state at the gateway, or order.ErrPaymentNotFound.
func (p *Payments) Payment(ctx context.Context, id string) (order.GatewayPayment, error) {
	intent, err := p.retrieve(ctx, id)
	var response *stripego.Error
	if errors.As(err, &response) && response.HTTPStatusCode == http.StatusNotFound {
		return order.GatewayPayment{}, fmt.Errorf("look up payment %s: %w", id, order.ErrPaymentNotFound)
	}
	if err != nil {
		return order.GatewayPayment{}, wrap("look up payment "+id, err)
	}
	return paymentOf(intent), nil
}

// PaymentsSince returns all payments created at the gateway since then, newest first. It reads them page by page, so payments
// created meanwhile may be missing. An error ends it.
func (p *Payments) PaymentsSince(ctx context.Context, since time.Time) iter.Seq2[order.GatewayPayment, error] {
	return func(yield func(order.GatewayPayment, error) bool) {
		params := &stripego.PaymentIntentListParams{}
		params.Limit = stripego.Int64(100)
		params.AddExpand("data.latest_charge")
		if !since.IsZero() {
			params.CreatedRange = &stripego.RangeQueryParams{GreaterThanOrEqual: since.Unix()}
		}
		for intent, err := range p.client.V1PaymentIntents.List(ctx, params).All(ctx) {
			if err != nil {
				yield(order.GatewayPayment{}, wrap("list payments", err))
				return
			}
			if !yield(paymentOf(intent), nil) {
				return
			}
		}
	}
}

// PaymentsOf returns the IDs of the payments that name the order. They come from the gateway's search, which lags a minute as a
// rule and an hour at worst.
func (p *Payments) PaymentsOf(ctx context.Context, id order.ID) ([]string, error) {
	ids, err := p.search(ctx, order.Payment{OrderID: id})
	if err != nil {
		return nil, wrap("search for the payments of order "+string(id), err)
	}
	return ids, nil
}

// GiveBack is Refund for one payment by its ID. It is for payments that the order's saga does not know.
func (p *Payments) GiveBack(ctx context.Context, id order.ID, paymentID string) error {
	return p.giveBack(ctx, order.Payment{OrderID: id}, paymentID)
}

// paymentOf converts an intent with an expanded latest_charge. An intent succeeds at most once, so only its latest charge can
// have taken money.
func paymentOf(intent *stripego.PaymentIntent) order.GatewayPayment {
	payment := order.GatewayPayment{
		ID: intent.ID, Currency: strings.ToUpper(string(intent.Currency)), CreatedAt: time.Unix(intent.Created, 0).UTC(),
	}
	if id, err := order.ParseID(intent.Metadata[orderIDKey]); err == nil {
		payment.OrderID = id
	}
	if charge := intent.LatestCharge; charge != nil {
		payment.Captured = minorUnits(charge.AmountCaptured, payment.Currency)
		payment.Refunded = minorUnits(charge.AmountRefunded, payment.Currency)
	}
	return payment
}
