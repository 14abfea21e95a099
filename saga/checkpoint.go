package saga

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// CheckpointActivity is the type of the activity that does nothing. A saga without a fence runs it to end its workflow task.
const CheckpointActivity = "saga-checkpoint"

// Register registers what sagas without a fence need with a worker, or with a test environment.
func Register(worker interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}) {
	worker.RegisterActivityWithOptions(func(context.Context) error { return nil },
		activity.RegisterOptions{Name: CheckpointActivity})
}

// checkpoint ends the workflow task, so that the server has recorded what happened in it. Failing does that too: a worker
// that does not know the activity only costs time.
func (r *run) checkpoint(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              workflow.GetInfo(ctx).TaskQueueName,
		ScheduleToCloseTimeout: 10 * time.Second,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                "checkpoint",
	})
	if err := workflow.ExecuteActivity(ctx, CheckpointActivity).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("register the saga's checkpoint activity: see saga.Register", "error", err.Error())
	}
	cancel()
}
