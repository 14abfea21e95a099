package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// StripeEventWorkflow is the name under which clients start StripeEvent. The workflow's ID is order.PaymentEvent.WorkflowID,
// so that an event acts once, however often the gateway sends it.
const StripeEventWorkflow = "StripeEvent"

// Settled is the result of a payment event.
type Settled string

// The results of a payment event.
const (
	SettledNothing  Settled = "NOTHING"   // all is as it should be
	SettledForeign  Settled = "FOREIGN"   // the payment belongs to no order of ours
	SettledLeft     Settled = "LEFT"      // the order is not at its end: its saga takes care of the payment
	SettledGaveBack Settled = "GAVE_BACK" // the money was given back, because the order is not confirmed by this payment
	SettledNoted    Settled = "NOTED"     // the shop refunded a confirmed order at the gateway; the timeline says so
)

// StripeEventResult is the result of a payment event, and the order that it is about.
type StripeEventResult struct {
	Settled Settled  `json:"settled"`
	OrderID order.ID `json:"orderId,omitempty"`
}

// StripeEvent acts on a payment event. The event is a hint: what counts is the payment at the gateway now, and the order's
// row. StripeEvent gives back money that a failed or cancelled order still holds, or that a confirmed order holds twice.
func StripeEvent(ctx workflow.Context, event order.PaymentEvent) (StripeEventResult, error) {
	ctx = workflow.WithActivityOptions(ctx, settleOptions)
	var found activities.LookUpPaymentResult
	in := activities.LookUpPaymentInput{PaymentID: event.PaymentID}
	if err := workflow.ExecuteActivity(ctx, settlement.LookUpPayment, in).Get(ctx, &found); err != nil {
		return StripeEventResult{}, err
	}
	if found.Payment == nil || found.Payment.OrderID == "" {
		return StripeEventResult{Settled: SettledForeign}, nil
	}
	payment := *found.Payment
	result := StripeEventResult{OrderID: payment.OrderID}
	var row activities.LookUpOrderResult
	lookUp := activities.OrderInput{OrderID: payment.OrderID}
	if err := workflow.ExecuteActivity(ctx, settlement.LookUpOrder, lookUp).Get(ctx, &row); err != nil {
		return result, err
	}
	var err error
	result.Settled, err = settle(ctx, event, payment, row)
	return result, err
}

// settle compares the payment at the gateway with the order's row, and gives the money back if the order must not keep it.
func settle(
	ctx workflow.Context, event order.PaymentEvent, payment order.GatewayPayment, row activities.LookUpOrderResult,
) (Settled, error) {
	its := row.Status == order.Confirmed && row.PaymentID == payment.ID // the payment that confirmed the order
	switch {
	case !row.Found:
		return SettledForeign, nil
	// The saga still decides about this payment, and its undos would give it back.
	case !row.Status.Final():
		return SettledLeft, nil
	// The shop may refund a confirmed order at the gateway: that is only recorded.
	case its && payment.Refunded > 0:
		amount := func(minor int64) string {
			return moneytext.Plain(money.Money{Amount: minor, Currency: payment.Currency})
		}
		text := fmt.Sprintf("payment %s of this confirmed order was refunded at the gateway: %s of %s",
			payment.ID, amount(payment.Refunded), amount(payment.Captured))
		return SettledNoted, note(ctx, event, payment, text)
	case its, payment.Kept().Amount == 0:
		return SettledNothing, nil
	}
	// The order failed or was cancelled, or another payment confirmed it: this money is not ours.
	in := activities.GiveBackPaymentInput{OrderID: payment.OrderID, PaymentID: payment.ID}
	if err := workflow.ExecuteActivity(ctx, settlement.GiveBackPayment, in).Get(ctx, nil); err != nil {
		return "", err
	}
	text := fmt.Sprintf("payment %s had succeeded, and the order is %s: gave back %s",
		payment.ID, row.Status, moneytext.Plain(payment.Kept()))
	return SettledGaveBack, note(ctx, event, payment, text)
}

// note adds the text to the order's timeline, once for each payment event.
func note(ctx workflow.Context, event order.PaymentEvent, payment order.GatewayPayment, text string) error {
	return workflow.ExecuteActivity(ctx, settlement.NotePayment, activities.NotePaymentInput{
		OrderID: payment.OrderID, Key: event.ID, At: workflow.Now(ctx), Detail: text,
	}).Get(ctx, nil)
}

// settleOptions retry without end: a payment event must not be lost, and no client waits for it.
var settleOptions = workflow.ActivityOptions{
	StartToCloseTimeout: paymentTimeout,
	RetryPolicy: &temporal.RetryPolicy{
		InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Minute,
	},
}

var settlement *activities.Settlement // names the activities by their methods; nothing is called on it
