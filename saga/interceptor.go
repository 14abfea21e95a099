package saga

import (
	"context"

	"go.temporal.io/sdk/interceptor"
)

// around is a worker interceptor that runs a function in the place of each activity.
type around struct {
	interceptor.WorkerInterceptorBase
	activity func(context.Context, *interceptor.ExecuteActivityInput, interceptor.ActivityInboundInterceptor) (any, error)
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (a *around) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &aroundActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, a}
}

type aroundActivity struct {
	interceptor.ActivityInboundInterceptorBase
	around *around
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (i *aroundActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	return i.around.activity(ctx, in, i.Next)
}
