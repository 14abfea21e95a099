package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// RefundOrderWorkflow is the name under which clients start RefundOrder.
const RefundOrderWorkflow = "RefundOrder"

// RefundOrderInput is a refund to make, or to bring to rest.
type RefundOrderInput struct {
	Request order.RefundRequest `json:"request"`
	// Resume begins with the fence: the refund is booked already, or will never be. Recovery sets it, and so does everyone who
	// changed the refund's row from outside.
	Resume bool `json:"resume,omitempty"`
}

// RefundResult is how a refund ended.
type RefundResult struct {
	Status order.RefundStatus `json:"status"`
	Units  order.UnitsStatus  `json:"units"`
}

// RefundOrder gives money, units or both of a confirmed order back and returns what became of it, as the row says. A refusal
// is an outcome, not a failed workflow.
//
// It has no undos. The gateway cannot be made to refuse a late refund, so after the first call a refund can only be found
// out about, not given up. Hence the booking is the pivot, and everything with an effect comes after it. Money comes before
// units: the gateway may say no for good; the catalog may not, since the books have checked.
func RefundOrder(ctx workflow.Context, in RefundOrderInput) (RefundResult, error) {
	if err := checkWorkflowID(ctx, in.Request.ID.WorkflowID()); err != nil {
		return RefundResult{}, err
	}
	s := &refundSaga{req: in.Request}
	run := s.plan().Run
	if in.Resume {
		run = s.plan().Recover
	}
	_, err := run(ctx, booksOptions(s.alertOperators))
	return RefundResult{Status: s.row.Status, Units: s.row.Units}, failure(err)
}

// booksOptions are those of refunds and shipments. They have no deadline: neither deciding nor giving up works without the
// books.
func booksOptions(onAttention func(workflow.Context, saga.Attention)) saga.Options {
	return saga.Options{Attributes: saga.DefaultAttributes(), OnAttention: onAttention, ReportUnknownSignals: true}
}

// refundSaga is one run of the saga: the request, and the refund's row as last seen. Steps look at the row, never at what an
// earlier run did.
type refundSaga struct {
	req     order.RefundRequest
	row     order.Refund
	outcome *order.RefundOutcome // nil when an operator skipped RefundMoney
}

func (s *refundSaga) plan() saga.Plan {
	return saga.Plan{
		Name:  "refund",
		Pivot: saga.Step{Name: "BookRefund", Do: s.bookRefund},
		Fence: s.fenceRefund,
		Retriable: []saga.Step{
			{Name: "RefundMoney", Do: s.refundMoney, Timeout: paymentTimeout, LocalTimeout: paymentTimeout},
			{Name: "SettleRefund", Do: s.settleRefund},
			{Name: "ReturnUnits", Do: s.returnUnits},
			{Name: "PublishRefund", Do: s.publishRefund, LocalTimeout: publishLocalTimeout, Timeout: publishTimeout},
			{Name: "FinishRefund", Do: s.finishRefund, LocalTimeout: publishLocalTimeout, Timeout: publishTimeout},
			{Name: "AppendTimeline", Do: s.appendTimeline},
		},
	}
}

// refunding names the activities by their methods; nothing is called on it.
var refunding *activities.Refunding

// bookRefund is the pivot. The row says whether the books refused it, or an earlier run was fenced.
func (s *refundSaga) bookRefund(ctx workflow.Context) (err error) {
	s.row, err = saga.Execute(ctx, refunding.BookRefund, s.req)
	if err == nil && s.row.Status == order.RefundRefused {
		return saga.ErrStop
	}
	return err
}

// fenceRefund makes sure that the refund will never be booked, or finds that it was. There is nothing to undo in either case.
func (s *refundSaga) fenceRefund(ctx workflow.Context, cause saga.Cause) (verdict saga.Verdict, err error) {
	s.row, err = saga.Execute(ctx, refunding.FenceRefund, activities.FenceRefundInput{Request: s.req, Cause: refundCause(cause)})
	if err == nil && s.row.Status == order.RefundRefused {
		return saga.Ended, nil
	}
	return saga.Forward, err
}

func refundCause(c saga.Cause) order.RefundCause {
	switch c.Kind {
	case saga.Cancelled, saga.GivenUp:
		return order.RefundCause{
			Reason: order.RefundWithdrawn, By: order.RefusedByOperator, Message: "the refund was withdrawn before it began",
		}
	default:
		return order.RefundCause{
			Reason: order.RefundInterrupted, By: order.RefusedByOperator, Message: "the refund was interrupted before it began",
		}
	}
}

// refundMoney asks the gateway, unless the row says that it has answered, or no money goes through it.
func (s *refundSaga) refundMoney(ctx workflow.Context) error {
	if s.row.Status != order.RefundBooked {
		return nil
	}
	outcome := order.RefundOutcome{Status: order.RefundSucceeded}
	if s.row.Money == order.ThroughGateway {
		var err error
		if outcome, err = saga.Execute(ctx, refunding.RefundMoney, s.row); err != nil {
			return err
		}
	}
	s.outcome = &outcome
	return nil
}

// settleRefund records what the gateway said. From here on the row is the truth: a webhook may have been faster.
func (s *refundSaga) settleRefund(ctx workflow.Context) error {
	if s.row.Status != order.RefundBooked {
		return nil
	}
	if s.outcome == nil {
		outcome, err := s.givenUp(ctx)
		if err != nil {
			return err
		}
		s.outcome = &outcome
	}
	row, err := saga.Execute(ctx, refunding.SettleRefund, activities.SettleRefundInput{RefundID: s.row.ID, Outcome: *s.outcome})
	if err == nil {
		s.row = row
	}
	return err
}

// givenUp looks one last time whether the gateway has the refund that an operator has given up. A request that arrives later
// than that is found by the daily look-up, and then counts as late.
func (s *refundSaga) givenUp(ctx workflow.Context) (order.RefundOutcome, error) {
	found, err := saga.Execute(ctx, refunding.FindRefund, s.row)
	if err != nil || found.Found {
		return found.Outcome, err
	}
	return order.RefundOutcome{Status: order.RefundRefused, Cause: &order.RefundCause{
		Reason: order.RefundGivenUp, By: order.RefusedByOperator, Message: "the refund could not be made",
	}}, nil
}

// unitsDue reports whether the catalog has to take units back. Units of a late refund stay where they are: they may have been
// given to another refund since.
func (s *refundSaga) unitsDue() bool {
	return s.row.Status.Accepted() && s.row.Units == order.UnitsDue && !s.row.Late
}

func (s *refundSaga) returnUnits(ctx workflow.Context) error {
	if !s.unitsDue() {
		return nil
	}
	row, err := saga.Execute(ctx, refunding.ReturnUnits, activities.ReturnUnitsInput{
		OrderID: s.row.OrderID, RefundID: s.row.ID, Lines: s.row.Returns(),
	})
	if err == nil {
		s.row = row
	}
	return err
}

// publishRefund announces the row's status, if it has an event. Units that are still due were skipped by an operator.
func (s *refundSaga) publishRefund(ctx workflow.Context) error {
	if s.unitsDue() {
		row, err := saga.Execute(ctx, refunding.RecordUnits,
			activities.RecordUnitsInput{RefundID: s.row.ID, Units: order.UnitsSkipped})
		if err != nil {
			return err
		}
		s.row = row
	}
	event, announced := order.NewRefundEvent(s.row)
	if !announced {
		return nil
	}
	return saga.Do(ctx, refunding.PublishRefund, event)
}

// finishRefund brings the row to rest. A row that a webhook or a look-up has changed since it was announced is announced again.
func (s *refundSaga) finishRefund(ctx workflow.Context) error {
	for s.row.Status != order.RefundBooked { // an operator skipped SettleRefund: recovery tries again
		row, err := saga.Execute(ctx, refunding.FinishRefund,
			activities.FinishRefundInput{RefundID: s.row.ID, Version: s.row.Version})
		if err != nil {
			return err
		}
		if s.row = row; row.Settled {
			return nil
		}
		if err := s.publishRefund(ctx); err != nil {
			return err
		}
	}
	return nil
}

// appendTimeline stores what the row's own transitions do not: trouble and operators' commands.
func (s *refundSaga) appendTimeline(ctx workflow.Context) error {
	return appendTimeline(ctx, s.req.OrderID, 0)
}

func (s *refundSaga) alertOperators(ctx workflow.Context, a saga.Attention) {
	alertOperators(ctx, s.req.OrderID, s.row.UserID, a)
}
