package saga

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

var errFastPathOff = temporal.NewApplicationError("the fast path is switched off on this worker", "FastPathOff")

// NoFastPath returns a worker interceptor that switches the fast path off: the first local activity of a saga fails at
// once, and the saga goes on with regular activities. That failure is part of the saga's history, so workers with and
// without the fast path can replay each other's sagas. It costs a saga one event.
func NoFastPath() interceptor.WorkerInterceptor { return &noFastPath{} }

type noFastPath struct {
	interceptor.WorkerInterceptorBase
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (*noFastPath) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &regularOnly{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type regularOnly struct {
	interceptor.ActivityInboundInterceptorBase
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (r *regularOnly) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	if activity.GetInfo(ctx).IsLocalActivity {
		return nil, errFastPathOff
	}
	return r.Next.ExecuteActivity(ctx, in)
}
