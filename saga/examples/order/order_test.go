package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/exampletest"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

type call = func() (any, error)

// on runs before and after the first call of the activity.
func on(activity string, before, after func(*exampletest.Server) error) disturbance {
	return func(s *exampletest.Server, name string, n int, next call) (any, error) {
		if name != activity || n != 1 {
			return next()
		}
		if before != nil {
			if err := before(s); err != nil {
				return nil, err
			}
		}
		out, err := next()
		if after != nil && err == nil {
			err = after(s)
		}
		return out, err
	}
}

type disturbance func(s *exampletest.Server, name string, n int, next call) (any, error)

func cancel(s *exampletest.Server) error {
	s.Cancel()
	return nil
}

func fail(*exampletest.Server) error { return errors.New("the network is down") }

func terminate(s *exampletest.Server) error {
	if err := s.TerminateWorkflow(s.Context(), s.Queue, "", "a mistake"); err != nil {
		return err
	}
	return errors.New("its workflow is gone")
}

// Whatever happens, an order has one end: its status, its stock, its payment and the one event that is published agree.
func TestOrderHasOneEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		soldOut bool
		broke   bool
		disturb disturbance
		lost    bool // its workflow is terminated: Recover finishes the order
		want    Status
	}{
		"undisturbed":                            {want: Confirmed},
		"out of stock":                           {soldOut: true, want: Cancelled},
		"declined":                               {broke: true, want: Cancelled},
		"response about the charge lost":         {disturb: on("ChargePayment", nil, fail), want: Confirmed},
		"response about the confirmation lost":   {disturb: on("ConfirmOrder", nil, fail), want: Confirmed},
		"response about the fence lost":          {soldOut: true, disturb: on("CloseOrder", nil, fail), want: Cancelled},
		"cancelled before the confirmation":      {disturb: on("ConfirmOrder", cancel, nil), want: Confirmed},
		"cancelled after the confirmation":       {disturb: on("ConfirmOrder", nil, cancel), want: Confirmed},
		"cancelled before the event":             {disturb: on("PublishEvent", cancel, nil), want: Confirmed},
		"cancelled after the event":              {disturb: on("PublishEvent", nil, cancel), want: Confirmed},
		"terminated before the charge":           {disturb: on("ChargePayment", terminate, nil), lost: true, want: Cancelled},
		"terminated after the charge":            {disturb: on("ChargePayment", nil, terminate), lost: true, want: Cancelled},
		"terminated after the confirmation":      {disturb: on("ConfirmOrder", nil, terminate), lost: true, want: Confirmed},
		"terminated before the order was stored": {disturb: on("CreateOrder", terminate, nil), lost: true, want: Cancelled},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := exampletest.Connect(t)
			stock, money := 2, 200
			if tt.soldOut {
				stock--
			}
			if tt.broke {
				money--
			}
			shop := newShop(stock, money)
			s.Work("", func(w worker.Registry) { register(w, shop) },
				exampletest.Disturb(func(name string, n int, next call) (any, error) {
					if tt.disturb == nil {
						return next()
					}
					return tt.disturb(s, name, n, next)
				}))
			in := Order{ID: s.Queue, Units: 2, Price: 100}
			run := s.Start(Place, in)
			err := run.Get(t.Context(), nil)
			if tt.lost {
				if err == nil {
					t.Fatal("the workflow was not terminated")
				}
				options := client.StartWorkflowOptions{ID: "recover-" + in.ID, TaskQueue: s.Queue}
				if run, err = s.ExecuteWorkflow(t.Context(), options, Recover, in); err != nil {
					t.Fatal(err)
				}
			}
			var outcome saga.Outcome
			if err := run.Get(t.Context(), &outcome); err != nil {
				t.Fatal(err)
			}
			end := saga.WasUnwound
			if tt.want == Confirmed {
				stock, money, end = 0, 0, saga.WentForward
			}
			if outcome.End != end {
				t.Errorf("outcome %+v, want %s", outcome, end)
			}
			if status := shop.Orders.Status(in.ID); status != tt.want {
				t.Errorf("the order is %s, want %s", status, tt.want)
			}
			if shop.Stock.Left() != stock || shop.Payments.Left() != money {
				t.Errorf("stock %d and money %d are left, want %d and %d", shop.Stock.Left(), shop.Payments.Left(), stock, money)
			}
			if event := shop.Events.Of(in.ID); event != tt.want {
				t.Errorf("the event says %s, want %s", event, tt.want)
			}
		})
	}
}

// sagatest disturbs every call in Temporal's test environment, alone and in pairs.
func TestExploredOrderKeepsItsPromises(t *testing.T) {
	t.Parallel()
	in := Order{ID: "order-1", Units: 2, Price: 100}
	sagatest.Explore(t, sagatest.Saga{
		Workflow: Place,
		Args:     []any{in},
		Deadline: 15 * time.Minute,
		Fence:    "CloseOrder",
		Recover:  Recover,
		World: func() sagatest.World {
			shop := newShop(2, 200)
			return sagatest.World{
				Activities: []any{shop},
				InEffect:   func() any { return [2]int{shop.Stock.Left(), shop.Payments.Left()} },
				Invariants: []sagatest.Invariant{{Name: "event and outcome agree", Holds: func(s sagatest.Story) error {
					want := map[saga.End]Status{saga.WentForward: Confirmed, saga.WasUnwound: Cancelled}[s.End]
					if event := shop.Events.Of(in.ID); event != want {
						return fmt.Errorf("the event says %s, want %s", event, want)
					}
					return nil
				}}},
			}
		},
		Ended: func(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
			var outcome saga.Outcome
			err := env.GetWorkflowResult(&outcome)
			return outcome.End, err
		},
	})
}
