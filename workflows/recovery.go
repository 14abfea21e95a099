package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
)

// RecoverOrder finishes an order whose CreateOrder workflow was terminated or failed: forward when the order is CONFIRMED,
// otherwise undone and announced. It leaves out nothing, whatever the row says: the row may be missing, and only the
// announcement may be left.
func RecoverOrder(ctx workflow.Context, req order.Request) (activities.Progress, error) {
	s, err := newOrderSaga(ctx, req, req.ID.RecoveryID())
	if err != nil {
		return activities.Progress{}, err
	}
	return s.ended(s.plan().Recover(ctx, s.options()))
}

// RerunOrder runs the saga of an order again from its first step. It is for an order whose workflow has completed although its
// row is still PENDING: the database has lost what the workflow wrote. Every step returns what it returned before, so that the
// order ends as its customer was told. If it was undone, the tombstones refuse its steps, and it is undone again.
func RerunOrder(ctx workflow.Context, req order.Request) (activities.Progress, error) {
	s, err := newOrderSaga(ctx, req, req.ID.RecoveryID())
	if err != nil {
		return activities.Progress{}, err
	}
	return s.ended(s.plan().Run(ctx, s.options()))
}

// RecoverOrdersResult is what a search for interrupted orders found, and where the next search begins.
type RecoverOrdersResult struct {
	// Next is the time from which the next search has to look at workflows.
	Next      time.Time `json:"next"`
	Recovered int       `json:"recovered"` // orders handed to RecoverOrder
}

// visibilityLag is how far the list of workflows may lag; searches overlap by it. Handing an order to RecoverOrder twice
// is harmless.
const visibilityLag = 10 * time.Minute

// searchOptions: a search sends a heartbeat after each page, and a retry goes on from there. What bounds it is the schedule's
// run timeout; the next search then begins where this one did.
var searchOptions = workflow.ActivityOptions{
	StartToCloseTimeout: 3 * time.Hour,
	HeartbeatTimeout:    2 * time.Minute,
	RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 20 * time.Second},
}

// These name the activities by their methods; nothing is called on them.
var (
	recovery *activities.Recovery
	books    *activities.BookRecovery
)

// RecoverOrders finds the orders that no workflow will finish, and starts RecoverOrder for each. It does the same for refunds
// and shipments. A schedule runs it; searches do not overlap. Each looks at the workflows that ended since the last successful search began.
func RecoverOrders(ctx workflow.Context) (RecoverOrdersResult, error) {
	ctx = workflow.WithActivityOptions(ctx, searchOptions)
	var last RecoverOrdersResult
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			return last, err
		}
	}
	result := RecoverOrdersResult{Next: workflow.Now(ctx).Add(-visibilityLag)}
	var interrupted, unfinished activities.Recovered
	in := activities.RecoverInterruptedInput{Since: last.Next}
	if err := workflow.ExecuteActivity(ctx, recovery.RecoverInterrupted, in).Get(ctx, &interrupted); err != nil {
		return result, err
	}
	if err := workflow.ExecuteActivity(ctx, recovery.RecoverUnfinished).Get(ctx, &unfinished); err != nil {
		return result, err
	}
	result.Recovered = interrupted.Orders + unfinished.Orders
	return result, recoverBooks(ctx, in)
}

// recoverBooks brings refunds and shipments to rest that no workflow will.
func recoverBooks(ctx workflow.Context, in activities.RecoverInterruptedInput) error {
	if err := workflow.ExecuteActivity(ctx, books.RecoverInterruptedRefunds, in).Get(ctx, nil); err != nil {
		return err
	}
	if err := workflow.ExecuteActivity(ctx, books.RecoverUnsettledRefunds).Get(ctx, nil); err != nil {
		return err
	}
	return workflow.ExecuteActivity(ctx, books.RecoverUnsettledShipments).Get(ctx, nil)
}
