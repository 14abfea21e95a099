package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// alertOptions: a short time, since there is one attempt. The saga sends the alert again while the step stays broken, and
// shows it in the Web UI all the while.
var alertOptions = workflow.ActivityOptions{ScheduleToCloseTimeout: 30 * time.Second, StartToCloseTimeout: 10 * time.Second}

func (s *orderSaga) alertOperators(ctx workflow.Context, a saga.Attention) {
	alertOperators(ctx, s.req.ID, s.req.UserID, a)
}

// alertOperators publishes ORDER_NEEDS_ATTENTION, best effort: the broker may be what is broken.
func alertOperators(ctx workflow.Context, id order.ID, userID int64, a saga.Attention) {
	ctx = workflow.WithActivityOptions(ctx, alertOptions)
	in := order.NewAlert(id, userID, a.Step, a.Since.UTC(), a.Message(), a.Advice())
	if err := saga.Do(ctx, steps.AlertOperators, in); err != nil {
		workflow.GetLogger(ctx).Warn("operators could not be alerted", "step", a.Step, "error", err.Error())
	}
}
