package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
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
	SettledBooked   Settled = "BOOKED"    // what the gateway did with a confirmed order's payment is in the books
)

// StripeEventResult is the result of a payment event, and the order that it is about.
type StripeEventResult struct {
	Settled Settled  `json:"settled"`
	OrderID order.ID `json:"orderId,omitempty"`
}

// StripeEvent acts on a payment event. The event is a hint: what counts is the payment at the gateway now, and the order's
// row. StripeEvent books refunds and disputes of a confirmed order. It gives back money that a failed or cancelled order still
// holds, or that a confirmed order holds twice.
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
	row, err := lookUpOrder(ctx, event, payment.OrderID)
	if err != nil {
		return result, err
	}
	result.Settled, err = settle(ctx, event, payment, row)
	return result, err
}

// lookUpOrder reads the order's row. The saga of an order that is not at its end takes care of its payment, so only what
// happens to confirmed orders waits for that end.
func lookUpOrder(ctx workflow.Context, event order.PaymentEvent, id order.ID) (row activities.LookUpOrderResult, err error) {
	for pause := firstOrderPause; ; pause = min(2*pause, lastOrderPause) {
		in := activities.OrderInput{OrderID: id}
		if err := workflow.ExecuteActivity(ctx, settlement.LookUpOrder, in).Get(ctx, &row); err != nil {
			return row, err
		}
		if !row.Found || row.Status.Final() || event.Type == order.PaymentSucceeded {
			return row, nil
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return row, err
		}
	}
}

// Pauses between two looks at an order that is not at its end.
const (
	firstOrderPause = 10 * time.Second
	lastOrderPause  = 10 * time.Minute
)

// settle compares the payment at the gateway with the order's row. It gives the money back if the order must not keep it.
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
	case its && event.Type != order.PaymentSucceeded:
		in := activities.FollowPaymentInput{OrderID: payment.OrderID, PaymentID: payment.ID}
		return SettledBooked, workflow.ExecuteActivity(ctx, following.FollowPayment, in).Get(ctx, nil)
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
	return SettledGaveBack, note(ctx, payment, fmt.Sprintf("%s.gave-back.%d", payment.ID, payment.Kept().Amount), text)
}

// note adds the text to the order's timeline, once for the fact that the key names: the gateway sends several events about one
// payment.
func note(ctx workflow.Context, payment order.GatewayPayment, key, text string) error {
	return workflow.ExecuteActivity(ctx, settlement.NotePayment, activities.NotePaymentInput{
		OrderID: payment.OrderID, Key: key, At: workflow.Now(ctx), Detail: text,
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
