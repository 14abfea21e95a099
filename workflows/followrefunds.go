package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/activities"
)

// FollowRefundsWorkflow is the name under which the schedule starts FollowRefunds.
const FollowRefundsWorkflow = "FollowRefunds"

const (
	pendingEvery = 30 * time.Minute
	accountEvery = 24 * time.Hour
	// accountSpan is how far back refunds may still change: banks reject some after weeks.
	accountSpan = 60 * 24 * time.Hour
)

// FollowRefundsResult says when the next look at the whole account is due.
type FollowRefundsResult struct {
	AccountListed time.Time `json:"accountListed"` // when the account's refunds were last listed
}

// FollowRefunds looks at the gateway for what became of refunds: each time for those that are PENDING, and once a day for all
// of the account's. A schedule runs it; it finds what lost webhooks would have told.
func FollowRefunds(ctx workflow.Context) (FollowRefundsResult, error) {
	ctx = workflow.WithActivityOptions(ctx, searchOptions)
	var last FollowRefundsResult
	if workflow.HasLastCompletionResult(ctx) {
		if err := workflow.GetLastCompletionResult(ctx, &last); err != nil {
			return last, err
		}
	}
	now := workflow.Now(ctx)
	in := activities.FollowPendingInput{MinAge: pendingEvery}
	if err := workflow.ExecuteActivity(ctx, following.FollowPending, in).Get(ctx, nil); err != nil {
		return last, err
	}
	if now.Sub(last.AccountListed) < accountEvery {
		return last, nil
	}
	all := activities.FollowAccountInput{Since: now.Add(-accountSpan)}
	if err := workflow.ExecuteActivity(ctx, following.FollowAccount, all).Get(ctx, nil); err != nil {
		return last, err
	}
	return FollowRefundsResult{AccountListed: now}, nil
}

var following *activities.Following // names the activities by their methods; nothing is called on it
