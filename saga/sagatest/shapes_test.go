package sagatest_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

// office is an agency that also records whether a trip is decided, as a store does.
type office struct {
	*agency
	decided map[string]saga.Verdict
}

func (o *office) Confirm(_ context.Context, trip string) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.decided[trip] == 0 {
		o.decided[trip] = saga.Forward
	}
	return o.decided[trip] == saga.Forward, nil
}

func (o *office) Close(_ context.Context, trip string) (saga.Verdict, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.decided[trip] == 0 {
		o.decided[trip] = saga.Backward
	}
	return o.decided[trip], nil
}

var desk *office // names activities

// stored has a pivot and a fence in a store.
func stored(_ workflow.Context, p *saga.Plan) {
	p.Pivot = saga.Step{Name: "Confirm", Do: func(ctx workflow.Context) error {
		if confirmed, err := saga.Execute(ctx, desk.Confirm, "Rome"); err != nil || confirmed {
			return err
		}
		return saga.ErrStop
	}}
	p.Fence = func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
		return saga.Execute(ctx, desk.Close, "Rome")
	}
	p.Retriable = []saga.Step{ticketsUnlessUnwound()}
}

// ticketsUnlessUnwound is a retriable step: in a saga without a pivot, only the checkpoint keeps it from being too early.
func ticketsUnlessUnwound() saga.Step {
	return saga.Step{Name: "SendTicketsAtTheEnd", Do: func(ctx workflow.Context) error {
		if v := saga.Timeline(ctx); slices.ContainsFunc(v, func(e saga.Entry) bool { return e.Kind == saga.EntryUndone }) {
			return nil
		}
		return saga.Do(ctx, booking.SendTickets, "Rome")
	}}
}

func withoutPivot(_ workflow.Context, p *saga.Plan) {
	p.Pivot, p.Retriable = saga.Step{}, []saga.Step{ticketsUnlessUnwound()}
}

// nested runs hotel and car as a saga of their own.
func nested(_ workflow.Context, p *saga.Plan) {
	inner := saga.Plan{Name: "stay", Steps: p.Steps[1:]}
	stay := saga.Step{Name: "Stay", Undo: cancelStay()}
	stay.Do = func(ctx workflow.Context) error {
		_, err := inner.Run(ctx, saga.Options{})
		return err
	}
	p.Steps = []saga.Step{p.Steps[0], stay}
}

func cancelStay() *saga.Undo {
	return &saga.Undo{Name: "CancelStay", Do: func(ctx workflow.Context) error {
		in := saga.Undoing[string, string]{Input: "Rome"}
		if err := saga.Do(ctx, booking.CancelCar, in); err != nil {
			return err
		}
		return saga.Do(ctx, booking.CancelHotel, in)
	}}
}

// child runs hotel and car as a child workflow.
func child(_ workflow.Context, p *saga.Plan) {
	stay := saga.Step{Name: "Stay", Undo: cancelStay()}
	stay.Do = func(ctx workflow.Context) error {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "stay", WaitForCancellation: true})
		_, err := saga.ExecuteChild[any](ctx, takeStay)
		return err
	}
	p.Steps = []saga.Step{p.Steps[0], stay}
}

func takeStay(ctx workflow.Context) error {
	p := tripPlan("Rome")
	p.Steps, p.Pivot = p.Steps[1:], saga.Step{}
	_, err := p.Run(ctx, saga.Options{})
	return err
}

// together books side by side, and waits for an approval.
func together(ctx workflow.Context, p *saga.Plan) {
	approve := saga.Step{Name: "Approve", Do: func(ctx workflow.Context) error {
		_, err := saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "approve"))
		return err
	}}
	p.Steps = []saga.Step{{Name: "Book", Together: p.Steps}, approve}
}

func TestSagasOfEveryShapeKeepTheirPromises(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]func(workflow.Context, *saga.Plan){
		"with a fence": stored, "without a pivot": withoutPivot, "nested": nested, "with a child": child, "side by side": together,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wrongPlan(shape)
			s.World = func() sagatest.World {
				o := &office{newAgency(), map[string]saga.Verdict{}}
				return sagatest.World{Activities: []any{o}, InEffect: o.inEffect}
			}
			s.Setup = func(env *testsuite.TestWorkflowEnvironment) {
				env.RegisterWorkflow(takeStay)
				env.RegisterDelayedCallback(func() { env.SignalWorkflow("approve", "yes") }, time.Minute)
			}
			sagatest.Explore(t, s)
		})
	}
}
