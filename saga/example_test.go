package saga_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// trips are the activities of the examples: each acts on one outside system, and is safe to run twice.
type trips struct{ fullyBooked bool }

func (*trips) BookFlight(_ context.Context, trip string) (ticket string, err error) {
	fmt.Println("flight booked for", trip)
	return "LH 1", nil
}

// CancelFlight succeeds when there is nothing to cancel, and makes a late BookFlight of the same key fail.
func (*trips) CancelFlight(_ context.Context, in saga.Undoing[string, string]) error {
	fmt.Println("flight cancelled for", in.Input, "ticket", in.Result)
	return nil
}

// BookHotel is refused when there is no room: a final no. Any other error would be retried.
func (t *trips) BookHotel(_ context.Context, trip string) (room string, err error) {
	if t.fullyBooked {
		return "", saga.Refuse("NO_ROOM", "the hotel is fully booked", trip)
	}
	fmt.Println("hotel booked for", trip)
	return "room 12", nil
}

func (*trips) CancelHotel(_ context.Context, in saga.Undoing[string, string]) error {
	fmt.Println("hotel cancelled for", in.Input)
	return nil
}

func (*trips) Tell(_ context.Context, trip string) error {
	fmt.Println("told about", trip)
	return nil
}

// Trip is a workflow that runs a plan. It fails when the saga was unwound.
func Trip(ctx workflow.Context, trip string) (saga.Outcome, error) {
	var t *trips // names the activities; never called
	plan := saga.Plan{
		Name: "trip",
		Steps: []saga.Step{
			saga.Pair("BookFlight", saga.Value(trip), t.BookFlight, t.CancelFlight),
			saga.Pair("BookHotel", saga.Value(trip), t.BookHotel, t.CancelHotel),
		},
		Retriable: []saga.Step{
			{Name: "Tell", Do: func(ctx workflow.Context) error { return saga.Do(ctx, t.Tell, trip) }},
		},
	}
	return plan.Run(ctx, saga.Options{})
}

func takeTrip(t *trips) error {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	saga.Register(env)
	env.RegisterActivity(t)
	env.ExecuteWorkflow(Trip, "Rome")
	return errors.Unwrap(env.GetWorkflowError())
}

// An undisturbed plan runs its steps, and then what follows them.
func ExamplePlan() {
	fmt.Println(takeTrip(&trips{}))
	// Output:
	// flight booked for Rome
	// hotel booked for Rome
	// told about Rome
	// <nil>
}

// A refused step unwinds the saga. All undos of the plan run, also the undo of the refused step: a response may have been
// lost, and a saga does not rely on what it remembers.
func ExampleRefuse() {
	err := takeTrip(&trips{fullyBooked: true})
	outcome, unwound := saga.Unwound(err)
	fmt.Println(unwound, outcome.Cause)
	// Output:
	// flight booked for Rome
	// hotel cancelled for Rome
	// flight cancelled for Rome ticket LH 1
	// told about Rome
	// true REFUSED at BookHotel: NO_ROOM: the hotel is fully booked
}
