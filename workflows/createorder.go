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

	// UpdateOutcome waits until the order's end is known and returns the order (order.Order). No argument.
	UpdateOutcome = "outcome"
	// UpdateCancel asks to cancel the order (CancelRequest), waits until its end is known and returns the order: whether
	// it was in time, the order says.
	UpdateCancel = "cancel"
)

// CreateOrder takes an order from its request to its end and returns the order as stored. A refused or cancelled order
// is an outcome, not a failed workflow.
func CreateOrder(ctx workflow.Context, req order.Request) (order.Order, error) {
	if err := checkRequest(ctx, req, req.ID.WorkflowID()); err != nil {
		return order.Order{}, err
	}
	s := newOrderSaga(ctx, req)
	ctx, err := s.handleUpdates(ctx)
	if err != nil {
		return order.Order{}, err
	}
	if err := s.plan().Run(ctx, s.options()); err != nil {
		return order.Order{}, err
	}
	return s.row, s.awaitHandlers(ctx)
}

// checkRequest refuses, before anything happened, a workflow that was started by hand with something that is no order,
// or under an ID that is not the order's: two workflows for one order would not know of each other.
func checkRequest(ctx workflow.Context, req order.Request, workflowID string) error {
	err := req.Validate()
	if got := workflow.GetInfo(ctx).WorkflowExecution.ID; err == nil && got != workflowID {
		err = fmt.Errorf("the workflow of order %s must have the ID %s, not %s", req.ID, workflowID, got)
	}
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), "InvalidRequest", nil)
	}
	return nil
}

// plan is the business process: each step, what undoes it, and the point of no return.
func (s *orderSaga) plan() saga.Plan {
	return saga.Plan{
		Steps: []saga.Step{
			{Name: "PriceItems", Do: s.priceItems},
			{Name: "CreateOrder", Do: s.createOrder}, // undone by the fence and FinishOrder: the row stays, as FAILED
			{Name: "ReserveStock", Do: s.reserveStock, Undo: saga.Undo{Name: "ReleaseStock", Do: s.releaseStock}},
			{Name: "ChargePayment", Do: s.chargePayment, Timeout: paymentWait,
				Undo: saga.Undo{Name: "RefundPayment", Do: s.refundPayment, Timeout: paymentWait}},
			{Name: "CommitStock", Do: s.commitStock, Undo: saga.Undo{Name: "ReleaseStock", Do: s.releaseStock}},
		},
		Pivot:  saga.Step{Name: "ConfirmOrder", Do: s.confirmOrder},
		Fence:  s.closeOrder,
		Finish: saga.Step{Name: "FinishOrder", Do: s.finishOrder},
		Retriable: []saga.Step{
			{Name: "PublishEvent", Do: s.publishEvent, LocalTimeout: publishLocalWait, Timeout: publishWait},
			{Name: "AppendTimeline", Do: s.appendTimeline}, // calls nothing unless operators or troubles left something to note
		},
	}
}

// How long one attempt of a step may take. Each is longer than the time-outs of the client that the step calls, so that
// the client sees its own time-outs and its circuit breaker counts them.
const (
	paymentWait = 35 * time.Second // a refund after a lost answer takes up to 6 calls of 5 s to the gateway
	publishWait = 20 * time.Second // the broker's confirm is waited for 15 s
	// publishLocalWait is short, because a customer's answer leaves only after the local attempt. A broker that is slower
	// than this gets the event from the regular activity.
	publishLocalWait = 2 * time.Second
)

// Deadline bounds the way to the pivot. Holds of stock outlive it, so that a hold never expires under an order that may
// still be confirmed.
const (
	Deadline   = 15 * time.Minute
	HoldMargin = 5 * time.Minute
)

// orderSaga is one run of the saga: the request, what the steps learned, and the order's row as last seen.
type orderSaga struct {
	req       order.Request
	start     time.Time
	priced    activities.PriceItemsResult
	paymentID string
	row       order.Order
	decided   bool // the row says how the order ends
	stored    int  // how many entries of the saga's journal are stored with the order

	cancel       CancelRequest // the first, if any
	cancelAt     time.Time
	cancelStored bool // in the timeline
	unwind       workflow.CancelFunc
	asking       int // updates that wait for the decision
}

func newOrderSaga(ctx workflow.Context, req order.Request) *orderSaga {
	return &orderSaga{req: req, start: workflow.GetInfo(ctx).WorkflowStartTime}
}

func (s *orderSaga) options() saga.Options {
	return saga.Options{
		Deadline:  Deadline,
		Decided:   func() { s.decided = true },
		Answering: func() bool { return s.asking > 0 },
		OnTrouble: s.announceTrouble,
	}
}

// steps names the activities by their methods; it is never called.
var steps *activities.Activities

func (s *orderSaga) priceItems(ctx workflow.Context) error {
	in := activities.PriceItemsInput{OrderID: s.req.ID, Items: s.req.Items}
	return saga.Execute(ctx, steps.PriceItems, in, &s.priced)
}

func (s *orderSaga) createOrder(ctx workflow.Context) error {
	in := activities.CreateOrderInput{Order: order.Order{
		ID: s.req.ID, UserID: s.req.UserID, Status: order.Pending,
		Items: s.priced.Lines, Total: s.priced.Total,
		PaymentMethod: s.req.PaymentMethod, Hash: s.req.Hash,
	}}
	if err := saga.Execute(ctx, steps.CreateOrder, in, &s.row); err != nil {
		return err
	}
	if s.row.Decided() {
		return saga.ErrStop // a run before this one, of which this one knows nothing, got further
	}
	return nil
}

func (s *orderSaga) reserveStock(ctx workflow.Context) error {
	return saga.Execute(ctx, steps.ReserveStock, activities.ReserveStockInput{
		OrderID: s.req.ID, Items: s.req.Items, ExpiresAt: s.start.Add(Deadline + HoldMargin),
	}, nil)
}

func (s *orderSaga) chargePayment(ctx workflow.Context) error {
	var charged activities.ChargePaymentResult
	err := saga.Execute(ctx, steps.ChargePayment, s.row.Payment(), &charged)
	s.paymentID = charged.PaymentID
	return err
}

func (s *orderSaga) commitStock(ctx workflow.Context) error {
	return saga.Execute(ctx, steps.CommitStock, activities.OrderInput{OrderID: s.req.ID}, nil)
}

func (s *orderSaga) confirmOrder(ctx workflow.Context) error {
	err := s.store(ctx, steps.ConfirmOrder, func(records []order.Entry) any {
		return activities.ConfirmOrderInput{OrderID: s.req.ID, PaymentID: s.paymentID, Entries: records}
	})
	if err != nil {
		return err
	}
	if s.row.Status != order.Confirmed {
		return saga.ErrStop
	}
	return nil
}

// closeOrder is the fence.
func (s *orderSaga) closeOrder(ctx workflow.Context, cause saga.Cause) (saga.Verdict, error) {
	err := s.store(ctx, steps.CloseOrder, func(records []order.Entry) any {
		return activities.CloseOrderInput{Request: s.req, Cause: s.cause(cause), Entries: records}
	})
	if err != nil {
		return 0, err
	}
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
		return nil // closed before it was priced: without a priced row no payment can have been asked for
	}
	return saga.Execute(ctx, steps.RefundPayment, s.row.Payment(), nil)
}

func (s *orderSaga) releaseStock(ctx workflow.Context) error {
	return saga.Execute(ctx, steps.ReleaseStock, activities.OrderInput{OrderID: s.req.ID}, nil)
}

func (s *orderSaga) finishOrder(ctx workflow.Context) error {
	return s.store(ctx, steps.FinishOrder, func(records []order.Entry) any {
		return activities.FinishOrderInput{OrderID: s.req.ID, Entries: records}
	})
}

func (s *orderSaga) publishEvent(ctx workflow.Context) error {
	return saga.Execute(ctx, steps.PublishEvent, order.NewEvent(s.row), nil)
}
