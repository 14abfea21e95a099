package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// Names under which clients reach the workflows. They are a public contract.
const (
	CreateOrderWorkflow   = "CreateOrder"
	RecoverOrderWorkflow  = "RecoverOrder"
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
	if _, unwound := saga.Unwound(err); unwound {
		err = nil
	}
	return activities.ProgressOf(s.row), err
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
	return &orderSaga{req: req, start: workflow.GetInfo(ctx).WorkflowStartTime}, nil
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

// priceItems learns the lines and the total. Nothing is held yet, so it has no undo.
func (s *orderSaga) priceItems(ctx workflow.Context) (err error) {
	s.priced, err = saga.Execute(ctx, steps.PriceItems, activities.PriceItemsInput{OrderID: s.req.ID, Items: s.req.Items})
	return err
}

// createOrder stores the order as PENDING. The row keeps the prices of the first run that stored it.
func (s *orderSaga) createOrder(ctx workflow.Context) (err error) {
	s.row, err = saga.Execute(ctx, steps.CreateOrder, activities.CreateOrderInput{Order: order.Order{
		ID: s.req.ID, UserID: s.req.UserID, Status: order.Pending,
		Items: s.priced.Lines, Total: s.priced.Total,
		PaymentMethod: s.req.PaymentMethod, Hash: s.req.Hash,
	}})
	if err == nil && s.row.Decided() {
		return saga.ErrStop // an earlier run, which this one does not remember, got further
	}
	return err
}

// reserveStock holds all items until after the deadline, counted from the workflow's start: each run sends the same expiry.
func (s *orderSaga) reserveStock(ctx workflow.Context) error {
	return saga.Do(ctx, steps.ReserveStock, activities.ReserveStockInput{
		OrderID: s.req.ID, Items: s.req.Items, ExpiresAt: s.start.Add(PivotTimeout + HoldMargin),
	})
}

// chargePayment takes the money. The payment comes from the row, so that every run asks for the same one.
func (s *orderSaga) chargePayment(ctx workflow.Context) error {
	charged, err := saga.Execute(ctx, steps.ChargePayment, s.row.Payment())
	s.paymentID = charged.PaymentID
	return err
}

// commitStock turns the hold into a sale. It may be refused, when the hold has expired, so it comes before the pivot.
func (s *orderSaga) commitStock(ctx workflow.Context) error {
	return saga.Do(ctx, steps.CommitStock, activities.OrderInput{OrderID: s.req.ID})
}

// confirmOrder is the pivot. A row that is not CONFIRMED afterwards was closed by another run.
func (s *orderSaga) confirmOrder(ctx workflow.Context) error {
	err := progress(ctx, s, steps.ConfirmOrder, func(entries []order.Entry) activities.ConfirmOrderInput {
		return activities.ConfirmOrderInput{OrderID: s.req.ID, PaymentID: s.paymentID, Entries: entries}
	})
	if err == nil && s.row.Status != order.Confirmed {
		return saga.ErrStop
	}
	return err
}

// closeOrder is the fence: the row says whether the pivot has happened, whatever this run remembers.
func (s *orderSaga) closeOrder(ctx workflow.Context, cause saga.Cause) (saga.Verdict, error) {
	row, err := transition(ctx, s, steps.CloseOrder, func(entries []order.Entry) activities.CloseOrderInput {
		return activities.CloseOrderInput{Request: s.req, Cause: s.cause(cause), Entries: entries}
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
	if s.row.Total.IsZero() {
		return nil // closed before it was priced: without a priced row no run can have asked for a payment
	}
	return saga.Do(ctx, steps.RefundPayment, s.row.Payment())
}

func (s *orderSaga) releaseStock(ctx workflow.Context) error {
	return saga.Do(ctx, steps.ReleaseStock, activities.OrderInput{OrderID: s.req.ID})
}

// finishOrder writes FAILED or CANCELLED, as the cause in the row says. It runs after all undos.
func (s *orderSaga) finishOrder(ctx workflow.Context) error {
	return progress(ctx, s, steps.FinishOrder, func(entries []order.Entry) activities.FinishOrderInput {
		return activities.FinishOrderInput{OrderID: s.req.ID, Entries: entries}
	})
}

// publishEvent announces the end that the row has.
func (s *orderSaga) publishEvent(ctx workflow.Context) error {
	return saga.Do(ctx, steps.PublishEvent, order.NewEvent(s.row))
}
