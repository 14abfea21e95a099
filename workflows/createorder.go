package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// Names under which clients reach the workflows. They are a public contract.
const (
	CreateOrderWorkflow   = "CreateOrder"
	RecoverOrderWorkflow  = "RecoverOrder"
	RerunOrderWorkflow    = "RerunOrder"
	RecoverOrdersWorkflow = "RecoverOrders"
)

// CreateOrder takes an order from its request to its end and returns how it ended, as the row says. A refused or cancelled
// order is an outcome, not a failed workflow.
func CreateOrder(ctx workflow.Context, req order.Request) (activities.Progress, error) {
	s, err := newOrderSaga(ctx, req, req.ID.WorkflowID())
	if err != nil {
		return activities.Progress{}, err
	}
	if ctx, err = s.handleCancel(ctx); err != nil {
		return activities.Progress{}, err
	}
	return s.ended(s.plan().Run(ctx, s.options()))
}

// ended is the result of the workflow: how the row says that the order ended. An order that was unwound is an outcome.
func (s *orderSaga) ended(_ saga.Outcome, err error) (activities.Progress, error) {
	return activities.ProgressOf(s.row), failure(err)
}

// failure is the workflow's error. A saga that was unwound, or refused before its pivot, has an outcome: it has not failed.
func failure(err error) error {
	if _, unwound := saga.Unwound(err); unwound {
		return nil
	}
	return err
}

// plan is the business process: each step, its undo, and the point of no return.
func (s *orderSaga) plan() saga.Plan {
	releaseStock := &saga.Undo{Name: "ReleaseStock", Do: s.releaseStock} // gives back what is held as well as what is sold
	refundPayment := &saga.Undo{Name: "RefundPayment", Do: s.refundPayment, Timeout: paymentTimeout, LocalTimeout: paymentTimeout}
	return saga.Plan{
		Name: "order",
		Steps: []saga.Step{
			{Name: "PriceItems", Do: s.priceItems},
			{Name: "CreateOrder", Do: s.createOrder}, // undone by the fence and FinishOrder: the row stays, as FAILED
			{Name: "ReserveStock", Do: s.reserveStock, Undo: releaseStock},
			{Name: "ChargePayment", Do: s.chargePayment, Timeout: paymentTimeout, LocalTimeout: paymentTimeout, Undo: refundPayment},
			{Name: "CommitStock", Do: s.commitStock, Undo: releaseStock},
		},
		Pivot:  saga.Step{Name: "ConfirmOrder", Do: s.confirmOrder},
		Fence:  s.closeOrder,
		Finish: saga.Step{Name: "FinishOrder", Do: s.finishOrder},
		Retriable: []saga.Step{
			{Name: "PublishEvent", Do: s.publishEvent, LocalTimeout: publishLocalTimeout, Timeout: publishTimeout},
			{Name: "AppendTimeline", Do: s.appendTimeline}, // calls nothing unless something broke or an operator acted
		},
	}
}

// Timeouts of one attempt of a step. Each is longer than the timeouts of the client that the step calls, so that the client
// sees its own timeouts and its circuit breaker counts them.
const (
	paymentTimeout = 35 * time.Second // a refund after a lost response takes up to 6 calls of 5 s to the gateway
	publishTimeout = 20 * time.Second // the publisher waits 15 s for the broker's confirm
	// publishLocalTimeout is short, because a local attempt occupies its workflow task. A broker that hangs would otherwise
	// take the places of new orders; it gets the event from the regular activity.
	publishLocalTimeout = 2 * time.Second
)

// PivotTimeout is how long an order may take to reach its pivot. Stock holds outlive it by HoldMargin, so that a hold never
// expires under an order that may still be confirmed.
const (
	PivotTimeout = 15 * time.Minute
	HoldMargin   = 5 * time.Minute
)

// orderSaga is one run of the saga: the request, what the steps learned, and the order's row as last seen.
type orderSaga struct {
	req       order.Request
	start     time.Time
	priced    activities.PriceItemsResult
	paymentID string
	row       order.Order
	stored    int // how many entries of the saga's timeline are stored with the order
	cancel    cancellation
}

// newOrderSaga rejects, before anything happens, a workflow that an operator started by hand with an invalid order, or
// under an ID that is not the order's: two workflows for one order would not know of each other.
func newOrderSaga(ctx workflow.Context, req order.Request, workflowID string) (*orderSaga, error) {
	if err := req.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), "InvalidRequest", nil)
	}
	if err := checkWorkflowID(ctx, workflowID); err != nil {
		return nil, err
	}
	start := workflow.GetInfo(ctx).WorkflowStartTime
	if req.CreatedAt.IsZero() { // started by hand
		req.CreatedAt = start.UTC().Truncate(order.TimeResolution)
	}
	return &orderSaga{req: req, start: start}, nil
}

func checkWorkflowID(ctx workflow.Context, want string) error {
	if got := workflow.GetInfo(ctx).WorkflowExecution.ID; got != want {
		return temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the workflow of this input must have the ID %s, not %s", want, got), "InvalidRequest", nil)
	}
	return nil
}

func (s *orderSaga) options() saga.Options {
	return saga.Options{
		Deadline:             s.start.Add(PivotTimeout),
		Attributes:           saga.DefaultAttributes(),
		OnAttention:          s.alertOperators,
		ReportUnknownSignals: true,
	}
}

// steps names the activities by their methods; nothing is called on it.
var steps *activities.Activities

// priceItems learns the lines and the total. Nothing is held yet, so it has no undo. While nobody can price the order, it is
// stored without prices: it has been accepted, and must be in the customer's list.
func (s *orderSaga) priceItems(ctx workflow.Context) (err error) {
	in := activities.PriceItemsInput{OrderID: s.req.ID, Items: s.req.Items}
	possible := func(r activities.PriceItemsResult) error { return r.Check(s.req.Items) }
	s.priced, err = saga.Try(ctx, steps.PriceItems, in, possible)
	if !saga.IsBroken(err) {
		return err
	}
	if err := s.store(ctx, order.Unpriced(s.req.Items), money.Money{}); err != nil {
		return err
	}
	if s.row.Priced() { // by an earlier run, whose prices stay
		s.priced = activities.PriceItemsResult{Lines: s.row.Items, Total: s.row.Total}
		return nil
	}
	s.priced, err = saga.Execute(ctx, steps.PriceItems, in, possible)
	return err
}

// createOrder stores the order as PENDING, with its prices. The row keeps the prices of the first run that stored some.
func (s *orderSaga) createOrder(ctx workflow.Context) error {
	return s.store(ctx, s.priced.Lines, s.priced.Total)
}

func (s *orderSaga) store(ctx workflow.Context, lines []order.Line, total money.Money) (err error) {
	o := order.Order{
		ID: s.req.ID, UserID: s.req.UserID, Status: order.Pending, Items: lines, Total: total,
		PaymentMethod: s.req.PaymentMethod, Hash: s.req.Hash, CreatedAt: s.req.CreatedAt,
	}
	s.row, err = saga.Execute(ctx, steps.CreateOrder, activities.CreateOrderInput{Order: o}, func(row order.Order) error {
		if o.Priced() && !row.Priced() && !row.Decided() {
			return errors.New("the row has no prices")
		}
		return activities.CheckRow(row, o.ID)
	})
	if err == nil && s.row.Decided() {
		return saga.ErrStop // an earlier run, which this one does not remember, got further
	}
	return err
}

// do runs the activity of a step that says no more than that it was done.
func do[I any](
	ctx workflow.Context, id order.ID, activity func(context.Context, I) (activities.Done, error), in I,
) error {
	_, err := saga.Execute(ctx, activity, in, func(d activities.Done) error { return d.Check(id) })
	return err
}

// reserveStock holds all items until after the deadline, counted from the workflow's start: each run sends the same expiry.
func (s *orderSaga) reserveStock(ctx workflow.Context) error {
	return do(ctx, s.req.ID, steps.ReserveStock, activities.ReserveStockInput{
		OrderID: s.req.ID, Items: s.req.Items, ExpiresAt: s.start.Add(PivotTimeout + HoldMargin),
	})
}

// chargePayment takes the money. The payment comes from the row, so that every run asks for the same one.
func (s *orderSaga) chargePayment(ctx workflow.Context) error {
	charged, err := saga.Execute(ctx, steps.ChargePayment, s.row.Payment(), activities.ChargePaymentResult.Check)
	s.paymentID = charged.PaymentID
	return err
}

// commitStock turns the hold into a sale. It may be refused, when the hold has expired, so it comes before the pivot.
func (s *orderSaga) commitStock(ctx workflow.Context) error {
	return do(ctx, s.req.ID, steps.CommitStock, activities.OrderInput{OrderID: s.req.ID})
}

// confirmOrder is the pivot. A row that is not CONFIRMED afterwards was closed by another run.
func (s *orderSaga) confirmOrder(ctx workflow.Context) error {
	err := progress(ctx, s, steps.ConfirmOrder, func(entries []order.Entry) activities.ConfirmOrderInput {
		return activities.ConfirmOrderInput{OrderID: s.req.ID, PaymentID: s.paymentID, Entries: entries}
	}, activities.Progress.CheckDecided)
	if err == nil && s.row.Status != order.Confirmed {
		return saga.ErrStop
	}
	return err
}

// closeOrder is the fence: the row says whether the pivot has happened, whatever this run remembers.
func (s *orderSaga) closeOrder(ctx workflow.Context, cause saga.Cause) (saga.Verdict, error) {
	row, err := transition(ctx, s, steps.CloseOrder, func(entries []order.Entry) activities.CloseOrderInput {
		return activities.CloseOrderInput{Request: s.req, Cause: s.cause(cause), Entries: entries}
	}, func(row order.Order) error {
		return errors.Join(activities.CheckRow(row, s.req.ID), activities.ProgressOf(row).CheckDecided())
	})
	if err != nil {
		return 0, err
	}
	s.row = row
	switch {
	case s.row.Status == order.Confirmed:
		return saga.Forward, nil
	case s.row.Status.Final():
		return saga.Ended, nil
	default:
		return saga.Backward, nil
	}
}

func (s *orderSaga) refundPayment(ctx workflow.Context) error {
	if !s.row.Priced() {
		return nil // closed before it was priced: without a priced row no run can have asked for a payment
	}
	return do(ctx, s.req.ID, steps.RefundPayment, s.row.Payment())
}

func (s *orderSaga) releaseStock(ctx workflow.Context) error {
	return do(ctx, s.req.ID, steps.ReleaseStock, activities.OrderInput{OrderID: s.req.ID})
}

// finishOrder writes FAILED or CANCELLED, as the cause in the row says. It runs after all undos.
func (s *orderSaga) finishOrder(ctx workflow.Context) error {
	return progress(ctx, s, steps.FinishOrder, func(entries []order.Entry) activities.FinishOrderInput {
		return activities.FinishOrderInput{OrderID: s.req.ID, Entries: entries}
	}, activities.Progress.Check)
}

// publishEvent announces the end that the row has.
func (s *orderSaga) publishEvent(ctx workflow.Context) error {
	return do(ctx, s.req.ID, steps.PublishEvent, order.NewEvent(s.row))
}
