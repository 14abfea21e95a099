// Program trip runs two sagas without a store. The second one finds no hotel and gives its flight and its car back.
package main

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/example"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

const queue = "trips"

func main() {
	agency := &Agency{Flights: remote.New("flight", 2), Hotels: remote.New("hotel", 1), Cars: remote.New("car", 2)}
	example.Main(queue, func(w worker.Registry) { register(w, agency) }, func(ctx context.Context, c client.Client) error {
		return errors.Join(travel(ctx, c, "Ada"), travel(ctx, c, "Grace"))
	})
}

// register registers what the worker runs. The saga has an activity of its own.
func register(w worker.Registry, a *Agency) {
	saga.Register(w)
	w.RegisterWorkflow(Trip)
	w.RegisterActivity(a)
}

func travel(ctx context.Context, c client.Client, traveler string) error {
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, Trip, Request{traveler, "Rome"})
	if err != nil {
		return err
	}
	var outcome saga.Outcome
	err = run.Get(ctx, &outcome)
	if unwound, ok := saga.Unwound(err); ok {
		fmt.Println(traveler, "stays at home:", unwound.Cause)
		return nil
	}
	if err == nil {
		fmt.Println(traveler, "travels")
	}
	return err
}
