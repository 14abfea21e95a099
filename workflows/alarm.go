package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// alarmOptions: one attempt within a short time. The saga raises the alarm again while the trouble lasts, and shows it in
// the Web UI all the while.
var alarmOptions = workflow.ActivityOptions{
	ScheduleToCloseTimeout: 30 * time.Second,
	StartToCloseTimeout:    10 * time.Second,
	RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	Summary:                "tell operators",
}

// announceTrouble publishes ORDER_NEEDS_ATTENTION, best effort: the broker may be what is in trouble.
func (s *orderSaga) announceTrouble(ctx workflow.Context, t saga.Trouble) {
	ctx = workflow.WithActivityOptions(ctx, alarmOptions)
	in := order.NewAttention(s.req.ID, s.req.UserID, t.Step, t.Since.UTC(), t.Message(), t.Advice())
	if err := workflow.ExecuteActivity(ctx, steps.AnnounceTrouble, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("operators could not be told", "step", t.Step, "error", err.Error())
	}
}
