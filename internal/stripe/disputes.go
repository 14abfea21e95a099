package stripe

import (
	"context"
	"slices"
	"strings"
	"time"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/order"
)

// DisputesOf lists all disputes of a payment, oldest first. Their OrderID is empty, and so is ClosedAt: the gateway does not
// tell when it closed a dispute.
func (p *Payments) DisputesOf(ctx context.Context, paymentID string) ([]order.Dispute, error) {
	params := &stripego.DisputeListParams{PaymentIntent: &paymentID}
	params.Limit = stripego.Int64(100)
	var disputes []order.Dispute
	for d, err := range p.client.V1Disputes.List(ctx, params).All(ctx) {
		if err != nil {
			return nil, wrap("list the disputes of payment "+paymentID, err)
		}
		disputes = append(disputes, disputeOf(d, paymentID))
	}
	slices.Reverse(disputes)
	return disputes, nil
}

func disputeOf(d *stripego.Dispute, paymentID string) order.Dispute {
	dispute := order.Dispute{
		ID: d.ID, PaymentID: paymentID, Status: string(d.Status), Reason: string(d.Reason), OpenedAt: time.Unix(d.Created, 0).UTC(),
	}
	dispute.Amount.Currency = strings.ToUpper(string(d.Currency))
	dispute.Amount.Amount = minorUnits(d.Amount, dispute.Amount.Currency)
	switch d.Status {
	case stripego.DisputeStatusLost:
		dispute.Closed, dispute.Lost = true, true
	case stripego.DisputeStatusWon, stripego.DisputeStatusWarningClosed, stripego.DisputeStatusPrevented:
		dispute.Closed = true
	}
	return dispute
}
