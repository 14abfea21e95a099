// Program order places two orders. The store that the pivot writes to is the fence. The second order finds no stock.
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

const queue = "orders"

func main() {
	shop := newShop(2, 10_000)
	example.Main(queue, func(w worker.Registry) { register(w, shop) }, func(ctx context.Context, c client.Client) error {
		return errors.Join(
			place(ctx, c, Order{ID: "order-1", Units: 2, Price: 1999}),
			place(ctx, c, Order{ID: "order-2", Units: 1, Price: 1999}),
		)
	})
}

func newShop(stock, money int) *Shop {
	return &Shop{Orders: NewStore(), Events: &Events{}, Stock: remote.New("stock", stock), Payments: remote.New("payment", money)}
}

// register registers what the worker runs.
func register(w worker.Registry, s *Shop) {
	saga.Register(w)
	w.RegisterWorkflow(Place)
	w.RegisterWorkflow(Recover)
	w.RegisterActivity(s)
}

func place(ctx context.Context, c client.Client, in Order) error {
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: in.ID, TaskQueue: queue}, Place, in)
	if err != nil {
		return err
	}
	var outcome saga.Outcome
	if err := run.Get(ctx, &outcome); err != nil {
		return err
	}
	fmt.Println(in.ID, "went", outcome.End)
	if outcome.Cause != nil {
		fmt.Println("  because", outcome.Cause)
	}
	return nil
}
