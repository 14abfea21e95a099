package saga_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

func TestNexusOperationThatFailsRefusesTheSaga(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want saga.CauseKind // "": it goes forward
	}{
		"it succeeds":       {nil, ""},
		"it fails":          {nexus.NewOperationFailedErrorf("no seat"), saga.Refused},
		"it is cancelled":   {nexus.NewOperationCanceledErrorf("no longer sold"), saga.Cancelled},
		"the call is wrong": {nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "no such seat"), saga.Failed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			reserve := nexus.NewSyncOperation("reserve",
				func(_ context.Context, seat string, _ nexus.StartOperationOptions) (string, error) {
					return seat + "!", tt.err
				})
			service := nexus.NewService("seats")
			if err := service.Register(reserve); err != nil {
				t.Fatal(err)
			}
			seat := saga.Step{Name: "Seat", Do: func(ctx workflow.Context) error {
				client := workflow.NewNexusClient("airline", "seats")
				got, err := saga.ExecuteNexus[string](ctx, client, reserve, "12A", workflow.NexusOperationOptions{})
				if err == nil && got != "12A!" {
					err = fmt.Errorf("got %q", got)
				}
				return err
			}}
			err := w.run(t, trip(seat), saga.Options{},
				func(e *testsuite.TestWorkflowEnvironment) { e.RegisterNexusService(service) })
			if tt.want == "" {
				wantForward(t, err)
				return
			}
			wantUnwound(t, err, tt.want)
			w.wantCalls(t, "Flight", "-Flight")
		})
	}
}
