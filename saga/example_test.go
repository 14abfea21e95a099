package saga_test

import (
	"context"
	"fmt"
	"log/slog"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// trips are the activities of the examples: each acts on one outside system, and is safe to run twice.
type trips struct {
	fullyBooked bool
	confirmed   bool
}

func (*trips) BookFlight(_ context.Context, trip string) error {
	fmt.Println("flight booked for", trip)
	return nil
}

// CancelFlight succeeds when there is nothing to cancel, and makes a late BookFlight fail.
func (*trips) CancelFlight(_ context.Context, trip string) error {
	fmt.Println("flight cancelled for", trip)
	return nil
}

// BookHotel is refused when there is no room: a final no. Any other error would be retried.
func (t *trips) BookHotel(_ context.Context, trip string) error {
	if t.fullyBooked {
		return saga.Refuse("NO_ROOM", "the hotel is fully booked", trip)
	}
	fmt.Println("hotel booked for", trip)
	return nil
}

func (*trips) CancelHotel(_ context.Context, trip string) error {
	fmt.Println("hotel cancelled for", trip)
	return nil
}

// Confirm is the pivot: one guarded statement in the store that CloseTrip writes to as well.
func (t *trips) Confirm(_ context.Context, trip string) error {
	t.confirmed = true
	fmt.Println("confirmed:", trip)
	return nil
}

// CloseTrip is the fence: it finds the trip confirmed, or makes sure that it never will be.
func (t *trips) CloseTrip(context.Context, string) (saga.Verdict, error) {
	if t.confirmed {
		return saga.Forward, nil
	}
	return saga.Backward, nil
}

func (*trips) RecordFailure(_ context.Context, trip string) error {
	fmt.Println("failed:", trip)
	return nil
}

// Trip is a workflow that runs a whole plan, and fails when it was unwound.
func Trip(ctx workflow.Context, trip string) error {
	var t *trips // names the activities; never called
	do := func(activity func(context.Context, string) error) saga.Func {
		return func(ctx workflow.Context) error { return saga.Do(ctx, activity, trip) }
	}
	plan := saga.Plan{
		Steps: []saga.Step{
			{Name: "BookFlight", Do: do(t.BookFlight), Undo: saga.Undo{Name: "CancelFlight", Do: do(t.CancelFlight)}},
			{Name: "BookHotel", Do: do(t.BookHotel), Undo: saga.Undo{Name: "CancelHotel", Do: do(t.CancelHotel)}},
		},
		Pivot: saga.Step{Name: "Confirm", Do: do(t.Confirm)},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			return saga.Execute(ctx, t.CloseTrip, trip)
		},
		Finish: saga.Step{Name: "RecordFailure", Do: do(t.RecordFailure)},
	}
	var failure error
	err := plan.Run(ctx, saga.Options{Unwound: func(r saga.Report) { failure = r.Failure() }})
	if err != nil {
		return err
	}
	return failure
}

func takeTrip(t *trips) error {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivity(t)
	env.ExecuteWorkflow(Trip, "Rome")
	return env.GetWorkflowError()
}

// An undisturbed plan runs its steps and then its pivot.
func ExamplePlan() {
	fmt.Println(takeTrip(&trips{}))
	// Output:
	// flight booked for Rome
	// hotel booked for Rome
	// confirmed: Rome
	// <nil>
}

// A refused step turns the saga to its fence. All undos of the plan run, also the undo of the refused step: a response may
// have been lost, and a saga does not rely on what it remembers.
func ExampleRefuse() {
	err := takeTrip(&trips{fullyBooked: true})
	fmt.Println(err != nil)
	// Output:
	// flight booked for Rome
	// hotel cancelled for Rome
	// flight cancelled for Rome
	// failed: Rome
	// true
}
