package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// UpdateCancel is the update that asks to cancel the order, with a CancelRequest. Once it is accepted, the order's row will
// say whether it was in time.
const UpdateCancel = "cancel"

// CancelRequest is the argument of UpdateCancel.
type CancelRequest struct {
	By     Canceller `json:"by"`
	Reason string    `json:"reason,omitempty"` // in the words of who asks; stored in the order's timeline
}

// Canceller is a kind of person who may cancel an order.
type Canceller string

// The cancellers.
const (
	ByUser     Canceller = "user"
	ByOperator Canceller = "operator"
)

// maxCancelReason bounds CancelRequest.Reason, in bytes.
const maxCancelReason = 500

// cancellation is the first request to cancel the order, if any.
type cancellation struct {
	CancelRequest
	at     time.Time
	stored bool // in the order's timeline
	unwind workflow.CancelFunc
}

// handleCancel registers the update and returns the context that it cancels.
func (s *orderSaga) handleCancel(ctx workflow.Context) (workflow.Context, error) {
	ctx, s.cancel.unwind = workflow.WithCancel(ctx)
	return ctx, workflow.SetUpdateHandlerWithOptions(ctx, UpdateCancel, s.requestCancel,
		workflow.UpdateHandlerOptions{Description: "cancels the order, if it is not confirmed yet", Validator: validateCancel})
}

// requestCancel does not wait for the saga: the client reads what became of the order from its row.
func (s *orderSaga) requestCancel(ctx workflow.Context, req CancelRequest) error {
	if !s.row.Decided() && s.cancel.By == "" {
		s.cancel.CancelRequest, s.cancel.at = req, workflow.Now(ctx)
		s.cancel.unwind()
	}
	return nil
}

// entry is the entry that says who asked to cancel the order, until it is stored.
func (c cancellation) entry() []order.Entry {
	if c.By == "" || c.stored {
		return nil
	}
	detail := "cancel asked by " + string(c.By)
	if c.Reason != "" {
		detail += ": " + c.Reason
	}
	return []order.Entry{{Type: order.EntryCommand, At: c.at, Detail: detail}}
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

// cause says in the order's terms why the saga turned to its fence. The row keeps the first cause that it is given.
func (s *orderSaga) cause(c saga.Cause) order.Cause {
	var refused order.Cause
	_, known := saga.Refusal(c.Err, &refused)
	switch {
	case c.Kind == saga.Refused && known:
		return refused
	case c.Kind == saga.TimedOut:
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
