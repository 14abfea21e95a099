package saga

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

const fastPathOffType = "FastPathOff"

var errFastPathOff = temporal.NewApplicationError("the fast path is switched off on this worker", fastPathOffType)

// fastPathOff reports whether err is the answer of a worker without the fast path, which is no attempt.
func fastPathOff(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == fastPathOffType
}

// NoFastPath returns a worker interceptor that switches the fast path off: the first local activity of a saga answers
// that it is off, and the saga goes on with regular activities. The answer is part of the saga's history, so workers
// with and without the fast path can replay each other's sagas. It costs a saga one event.
func NoFastPath() interceptor.WorkerInterceptor { return &around{activity: refuseLocally} }

func refuseLocally(
	ctx context.Context, in *interceptor.ExecuteActivityInput, next interceptor.ActivityInboundInterceptor,
) (any, error) {
	if activity.GetInfo(ctx).IsLocalActivity {
		return nil, errFastPathOff
	}
	return next.ExecuteActivity(ctx, in)
}
