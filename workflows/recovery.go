package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
)

// RecoverOrder brings an order to its end of which the CreateOrder workflow ended in another way than completing: it
// was terminated, or it failed. Forward when the order is CONFIRMED, otherwise undone and announced. It gives up nothing
// on the way, whatever the row says: the row may be missing, and the announcement may be all that is left.
func RecoverOrder(ctx workflow.Context, req order.Request) (order.Order, error) {
	if err := checkRequest(ctx, req, req.ID.RecoveryID()); err != nil {
		return order.Order{}, err
	}
	s := newOrderSaga(ctx, req)
	err := s.plan().Recover(ctx, s.options())
	return s.row, err
}

// RecoverOrdersState is where a search for interrupted orders stands. It is the workflow's input when it continues as
// new, and its result, which tells the next search where to begin.
type RecoverOrdersState struct {
	// Since bounds the search: workflows that ended before were seen by an earlier one.
	Since time.Time `json:"since"`
	// Next is the time from which the following search has to look.
	Next      time.Time `json:"next"`
	Phase     string    `json:"phase"`            // which list is being read
	Page      []byte    `json:"page,omitempty"`   // of the workflows; nil at the beginning
	Cursor    string    `json:"cursor,omitempty"` // of the rows; empty at the beginning
	Recovered int       `json:"recovered"`        // orders handed to RecoverOrder
}

// The phases of a search, in order.
const (
	readWorkflows = "workflows"
	readRows      = "rows"
	searchDone    = "done"
)

// visibilityLag is how much the list of workflows may lag behind; searches overlap by it. Handing an order to
// RecoverOrder twice is harmless.
const visibilityLag = 10 * time.Minute

// RecoverOrders finds the orders that no workflow will bring to their end and starts RecoverOrder for each. A schedule
// runs it; searches do not overlap.
func RecoverOrders(ctx workflow.Context, state RecoverOrdersState) (RecoverOrdersState, error) {
	ctx = workflow.WithActivityOptions(ctx, searchOptions)
	if state.Phase == "" {
		if err := state.begin(ctx); err != nil {
			return state, err
		}
	}
	for state.Phase != searchDone {
		if err := state.page(ctx); err != nil {
			return state, err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return state, workflow.NewContinueAsNewError(ctx, RecoverOrders, state)
		}
	}
	return state, nil
}

// begin takes up where the last search that came to its end began.
func (s *RecoverOrdersState) begin(ctx workflow.Context) error {
	var last RecoverOrdersState
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			return err
		}
	}
	*s = RecoverOrdersState{Since: last.Next, Next: workflow.Now(ctx).Add(-visibilityLag), Phase: readWorkflows}
	return nil
}

var searchOptions = workflow.ActivityOptions{
	StartToCloseTimeout:    time.Minute,
	ScheduleToCloseTimeout: 5 * time.Minute, // then the next search begins where this one did
	RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 20 * time.Second},
}

var recovery *activities.Recovery // names the activities by their methods; it is never called

// page reads and recovers one page of the list that is being read.
func (s *RecoverOrdersState) page(ctx workflow.Context) error {
	if s.Phase == readWorkflows {
		var found activities.RecoverInterruptedResult
		in := activities.RecoverInterruptedInput{Since: s.Since, Page: s.Page}
		if err := workflow.ExecuteActivity(ctx, recovery.RecoverInterrupted, in).Get(ctx, &found); err != nil {
			return err
		}
		s.Page = found.Next
		s.Recovered += found.Recovered
		if len(s.Page) == 0 {
			s.Phase = readRows
		}
		return nil
	}
	var found activities.RecoverUnfinishedResult
	in := activities.RecoverUnfinishedInput{Cursor: s.Cursor}
	if err := workflow.ExecuteActivity(ctx, recovery.RecoverUnfinished, in).Get(ctx, &found); err != nil {
		return err
	}
	s.Cursor = found.Next
	s.Recovered += found.Recovered
	if s.Cursor == "" {
		s.Phase = searchDone
	}
	return nil
}
