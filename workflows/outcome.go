package workflows

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// CancelRequest is the argument of UpdateCancel.
type CancelRequest struct {
	By     Canceller `json:"by"`
	Reason string    `json:"reason,omitempty"` // in the words of whoever asks; stored in the order's timeline
}

// Canceller says who asks for a cancellation.
type Canceller string

// Who may ask.
const (
	ByUser     Canceller = "user"
	ByOperator Canceller = "operator"
)

// maxCancelReason bounds CancelRequest.Reason, in bytes.
const maxCancelReason = 500

// handleUpdates registers the updates and returns the context that they cancel.
func (s *orderSaga) handleUpdates(ctx workflow.Context) (workflow.Context, error) {
	ctx, s.unwind = workflow.WithCancel(ctx)
	outcome := workflow.SetUpdateHandlerWithOptions(ctx, UpdateOutcome, s.outcome,
		workflow.UpdateHandlerOptions{Description: "waits until the order's end is known"})
	cancel := workflow.SetUpdateHandlerWithOptions(ctx, UpdateCancel, s.requestCancel,
		workflow.UpdateHandlerOptions{Description: "cancels the order, if it is not confirmed yet", Validator: validateCancel})
	return ctx, errors.Join(outcome, cancel)
}

func (s *orderSaga) outcome(ctx workflow.Context) (order.Order, error) {
	s.asking++
	// On a disconnected context: a cancelled workflow still owes its caller an answer. Nothing is deferred: when a worker
	// forgets a workflow, deferred calls of all its coroutines run, and at the same time.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	err := workflow.Await(ctx, func() bool { return s.decided })
	cancel()
	s.asking--
	return s.row, err
}

func (s *orderSaga) requestCancel(ctx workflow.Context, req CancelRequest) (order.Order, error) {
	if !s.decided && s.cancel.By == "" {
		s.cancel, s.cancelAt = req, workflow.Now(ctx)
		s.unwind()
	}
	return s.outcome(ctx)
}

func validateCancel(_ workflow.Context, req CancelRequest) error {
	if req.By != ByUser && req.By != ByOperator {
		return errors.New(`cancel: "by" must be "user" or "operator"`)
	}
	if len(req.Reason) > maxCancelReason {
		return errors.New(`cancel: "reason" is longer than 500 bytes`)
	}
	return nil
}

// awaitHandlers lets every update answer before the workflow ends.
func (s *orderSaga) awaitHandlers(ctx workflow.Context) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	cancel()
	return err
}

// cause says in the order's terms why the saga turned to its fence. It is only a proposal: the row keeps the first.
func (s *orderSaga) cause(c saga.Cause) order.Cause {
	var refused order.Cause
	switch {
	case c.Kind == saga.Refused && saga.Refusal(c.Err, &refused):
		return refused
	case c.Kind == saga.DeadlineHit:
		return order.Cause{Reason: order.TimedOut, Message: "the order could not be completed in time"}
	case c.Kind == saga.Cancelled && s.cancel.By == ByUser:
		return order.Cause{Reason: order.CancelledByUser, Message: "cancelled by the customer"}
	case c.Kind == saga.Cancelled, c.Kind == saga.GivenUp:
		// The operator's own words are for the timeline: this message goes to the customer.
		return order.Cause{Reason: order.CancelledByOperator, Message: "cancelled by the shop"}
	default:
		return order.Cause{Reason: order.Interrupted, Message: "the order could not be completed"}
	}
}

// store runs an activity that stores records with its transition: what is new in the saga's journal since the last one.
func (s *orderSaga) store(ctx workflow.Context, activity any, input func([]order.Entry) any) error {
	journal := saga.Timeline(ctx)
	asked := s.asked()
	err := saga.Execute(ctx, activity, input(append(asked, records(journal[s.stored:])...)), &s.row)
	if err == nil {
		s.stored, s.cancelStored = len(journal), s.cancelStored || asked != nil
	}
	return err
}

// appendTimeline stores the entries since the last transition if something broke or an operator acted. Steps that just
// worked are not worth a round trip.
func (s *orderSaga) appendTimeline(ctx workflow.Context) error {
	left := saga.Timeline(ctx)[s.stored:]
	if !slices.ContainsFunc(left, func(e saga.Entry) bool { return e.Kind != saga.Done && e.Kind != saga.Undone }) {
		return nil
	}
	run := workflow.GetInfo(ctx).WorkflowExecution.RunID
	in := activities.AppendTimelineInput{OrderID: s.req.ID, RunID: run, Entries: records(left)}
	return saga.Execute(ctx, steps.AppendTimeline, in, nil)
}

// asked is the record of who asked for the order to be cancelled, if somebody did.
func (s *orderSaga) asked() []order.Entry {
	if s.cancel.By == "" || s.cancelStored {
		return nil
	}
	detail := "cancel asked by " + string(s.cancel.By)
	if s.cancel.Reason != "" {
		detail += ": " + s.cancel.Reason
	}
	return []order.Entry{{Type: order.EntryOperator, At: s.cancelAt, Detail: detail}}
}

// records turns a part of the saga's journal into lines of the order's timeline.
func records(journal []saga.Entry) []order.Entry {
	out := make([]order.Entry, 0, len(journal))
	for _, e := range journal {
		out = append(out, order.Entry{Type: recordTypes[e.Kind], At: e.At, Step: e.Step, Detail: e.Detail})
	}
	return out
}

var recordTypes = map[saga.EntryKind]order.EntryType{
	saga.Done:            order.EntryStepDone,
	saga.Undone:          order.EntryUndone,
	saga.NotDone:         order.EntryStepRefused,
	saga.FellBack:        order.EntryStepFellBack,
	saga.NeededAttention: order.EntryNeedsAttention,
	saga.Healed:          order.EntryHealed,
	saga.Skipped:         order.EntrySkipped,
	saga.Obeyed:          order.EntryOperator,
}
