package main

import (
	"errors"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/exampletest"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

type call = func() (any, error)

func cancelAtTheCar(s *exampletest.Server, name string, n int, next call) (any, error) {
	if name == "BookCar" && n == 1 {
		s.Cancel()
	}
	return next()
}

// Whatever happens, a trip is booked as a whole or not at all, and the workflow says which.
func TestTripIsBookedAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const booked, failed, cancelled = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	lost := errors.New("the response was lost")
	tests := map[string]struct {
		cars    int
		disturb func(s *exampletest.Server, name string, n int, next call) (any, error)
		slow    bool // without the fast path
		want    enumspb.WorkflowExecutionStatus
	}{
		"undisturbed":          {cars: 1, want: booked},
		"no car":               {want: failed},
		"no car, no fast path": {slow: true, want: failed},
		"the hotel's first response is lost": {cars: 1, want: booked,
			disturb: func(_ *exampletest.Server, name string, n int, next call) (any, error) {
				out, err := next()
				if name == "BookHotel" && n == 1 {
					err = lost
				}
				return out, err
			}},
		"no car, and all responses about the hotel are lost": {want: failed,
			disturb: func(_ *exampletest.Server, name string, n int, next call) (any, error) {
				out, err := next()
				if name == "BookHotel" || name == "CancelHotel" && n == 1 {
					err = lost
				}
				return out, err
			}},
		"cancelled while the car is being booked": {cars: 1, slow: true, want: cancelled, disturb: cancelAtTheCar},
		// The fast path books all within one workflow task, so the cancellation comes too late.
		"cancelled during the fast path": {cars: 1, want: booked, disturb: cancelAtTheCar},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := exampletest.Connect(t)
			a := &Agency{Flights: remote.New("flight", 1), Hotels: remote.New("hotel", 1), Cars: remote.New("car", tt.cars)}
			var interceptors []interceptor.WorkerInterceptor
			if tt.slow {
				interceptors = append(interceptors, saga.NoFastPath())
			}
			if tt.disturb != nil {
				interceptors = append(interceptors, exampletest.Disturb(func(name string, n int, next call) (any, error) {
					return tt.disturb(s, name, n, next)
				}))
			}
			s.Work("", func(w worker.Registry) { register(w, a) }, interceptors...)
			err := s.Start(Trip, Request{"Ada", "Rome"}).Get(t.Context(), nil)
			checkTrip(t, s, a, tt.cars, tt.want, err)
		})
	}
}

func checkTrip(
	t *testing.T, s *exampletest.Server, a *Agency, cars int, want enumspb.WorkflowExecutionStatus, err error,
) {
	t.Helper()
	described, describeErr := s.DescribeWorkflowExecution(t.Context(), s.Queue, "")
	if describeErr != nil {
		t.Fatal(describeErr)
	}
	if got := described.WorkflowExecutionInfo.Status; got != want {
		t.Errorf("the workflow ended as %s, want %s: %v", got, want, err)
	}
	left := [3]int{a.Flights.Left(), a.Hotels.Left(), a.Cars.Left()}
	if want == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		if left != [3]int{} {
			t.Errorf("booked, but %v are left", left)
		}
		return
	}
	if left != [3]int{1, 1, cars} {
		t.Errorf("not booked, but only %v are left", left)
	}
	if outcome, ok := saga.Unwound(err); !ok || len(outcome.Undos) != 3 {
		t.Errorf("%+v (%t), want three undos", outcome, ok)
	}
}

// sagatest disturbs every call in Temporal's test environment, alone and in pairs.
func TestExploredTripKeepsItsPromises(t *testing.T) {
	t.Parallel()
	sagatest.Explore(t, sagatest.Saga{
		Workflow: Trip,
		Args:     []any{Request{"Ada", "Rome"}},
		World: func() sagatest.World {
			a := &Agency{Flights: remote.New("flight", 1), Hotels: remote.New("hotel", 1), Cars: remote.New("car", 1)}
			return sagatest.World{Activities: []any{a}, InEffect: func() any {
				return [3]int{a.Flights.Left(), a.Hotels.Left(), a.Cars.Left()}
			}}
		},
	})
}

// A call may arrive after the saga has given up on it and has undone its step. It must not take effect any more.
func TestFlightThatIsBookedLateIsRefused(t *testing.T) {
	t.Parallel()
	s := exampletest.Connect(t)
	a := &Agency{Flights: remote.New("flight", 1), Hotels: remote.New("hotel", 1), Cars: remote.New("car", 1)}
	undone, late := make(chan struct{}), make(chan error, 1)
	disturb := exampletest.Disturb(func(name string, n int, next func() (any, error)) (any, error) {
		if name == "BookFlight" {
			s.Cancel()
			<-undone
			out, err := next()
			late <- err
			return out, err
		}
		out, err := next()
		if name == "CancelFlight" && n == 1 {
			close(undone)
		}
		return out, err
	})
	s.Work("", func(w worker.Registry) { register(w, a) }, saga.NoFastPath(), disturb)
	err := s.Start(Trip, Request{"Ada", "Rome"}).Get(t.Context(), nil)
	if err := <-late; !saga.IsRefused(err) {
		t.Errorf("the late call returned %v, want a refusal", err)
	}
	checkTrip(t, s, a, 1, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, err)
}
