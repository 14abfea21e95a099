package saga_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nexus-rpc/sdk-go/nexus"
	nexuspb "go.temporal.io/api/nexus/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// airline is a Nexus service that reserves a seat as its script says. The script gets the number of the call, from 1.
func airline(t *testing.T, script func(call int32) error) (*nexus.Service, nexus.Operation[string, string]) {
	t.Helper()
	var calls atomic.Int32
	reserve := nexus.NewSyncOperation("reserve",
		func(_ context.Context, seat string, _ nexus.StartOperationOptions) (string, error) {
			return seat + "!", script(calls.Add(1))
		})
	service := nexus.NewService("seats")
	if err := service.Register(reserve); err != nil {
		t.Fatal(err)
	}
	return service, reserve
}

// seat is a step that reserves a seat at the endpoint.
func seat(endpoint string, reserve nexus.Operation[string, string]) saga.Step {
	return saga.Step{Name: "Seat", Do: func(ctx workflow.Context) error {
		client := workflow.NewNexusClient(endpoint, "seats")
		got, err := saga.ExecuteNexus[string](ctx, client, reserve, "12A", workflow.NexusOperationOptions{})
		if err == nil && got != "12A!" {
			err = fmt.Errorf("got %q", got)
		}
		return err
	}}
}

var nexusTests = map[string]struct {
	script func(call int32) error
	want   saga.CauseKind // "": it goes forward
}{
	"it succeeds":     {func(int32) error { return nil }, ""},
	"it fails":        {func(int32) error { return nexus.NewOperationFailedErrorf("no seat") }, saga.Refused},
	"it is cancelled": {func(int32) error { return nexus.NewOperationCanceledErrorf("no longer sold") }, saga.Cancelled},
	"the call is wrong": {func(int32) error {
		return nexus.NewHandlerErrorf(nexus.HandlerErrorTypeBadRequest, "no such seat")
	}, saga.Failed},
}

func TestNexusOperationThatFailsRefusesTheSaga(t *testing.T) {
	t.Parallel()
	for name, tt := range nexusTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			service, reserve := airline(t, tt.script)
			err := w.run(t, trip(seat("airline", reserve)), saga.Options{},
				func(e *testsuite.TestWorkflowEnvironment) { e.RegisterNexusService(service) })
			wantSeat(t, w, err, tt.want)
		})
	}
}

func wantSeat(t *testing.T, w *world, err error, want saga.CauseKind) {
	t.Helper()
	if want == "" {
		wantForward(t, err)
		return
	}
	wantUnwound(t, err, want)
	w.wantCalls(t, "Flight", "-Flight")
}

func TestNexusOperationOnAServerFailsAsInTheTestEnvironment(t *testing.T) {
	t.Parallel()
	for name, tt := range nexusTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runNexus(t, tt.script, tt.want)
		})
	}
	t.Run("it is broken twice", func(t *testing.T) {
		t.Parallel()
		runNexus(t, func(call int32) error {
			if call <= 2 {
				return errReset
			}
			return nil
		}, "")
	})
}

// runNexus runs a trip with a seat that a worker behind a Nexus endpoint reserves.
func runNexus(t *testing.T, script func(call int32) error, want saga.CauseKind) {
	t.Helper()
	w := newWorld()
	service, reserve := airline(t, script)
	endpoint := "airline-" + rand.Text()
	flow := func(ctx workflow.Context) (saga.Outcome, error) {
		return trip(seat(endpoint, reserve)).Run(ctx, saga.Options{})
	}
	s := newServer(t, w, flow)
	addEndpoint(t, s, endpoint)
	works := worker.New(s.Client, endpoint, worker.Options{})
	works.RegisterNexusService(service)
	if err := works.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(works.Stop)

	wantSeat(t, w, s.start(0).Get(t.Context(), nil), want)
	s.history(flow)
}

// addEndpoint makes the task queue of the same name a Nexus endpoint until the test ends.
func addEndpoint(t *testing.T, c client.Client, name string) {
	t.Helper()
	target := &nexuspb.EndpointTarget_Worker_{Worker: &nexuspb.EndpointTarget_Worker{Namespace: "default", TaskQueue: name}}
	created, err := c.OperatorService().CreateNexusEndpoint(t.Context(), &operatorservice.CreateNexusEndpointRequest{
		Spec: &nexuspb.EndpointSpec{Name: name, Target: &nexuspb.EndpointTarget{Variant: target}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := c.OperatorService().DeleteNexusEndpoint(context.Background(), &operatorservice.DeleteNexusEndpointRequest{
			Id: created.GetEndpoint().GetId(), Version: created.GetEndpoint().GetVersion(),
		})
		if err != nil {
			t.Errorf("delete the endpoint: %v", err)
		}
	})
}
