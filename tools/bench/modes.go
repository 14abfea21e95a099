package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// mode is one way to carry out an order, or nothing. start starts what it needs and returns what a client calls for each
// order, which returns the order's workflow ID, or "" without one.
type mode struct {
	name, about string
	start       func(context.Context, *stack) (place, error)
}

type place func(context.Context) (workflowID string, err error)

var modes = []mode{
	{"empty", "an empty workflow, started and waited for", startEmpty},
	{"plain", "the steps called in order by one function, without an engine", startPlain},
	{"dbos", "the steps in a DBOS workflow, on the same PostgreSQL", startDBOS},
	{"one-process", "POST /orders to the program orders: api and worker in one process", shop(goodCard, "one-process", "orders")},
	{"apart", "POST /orders to api and worker as two programs", shop(goodCard, "apart", "api", "worker")},
	{"regular", "the same with FAST_PATH=false: every step is a regular activity", shop(goodCard, "regular", "api", "worker")},
	{"declined", "one-process, and every card is declined after the stock was reserved",
		shop(declinedCard, "one-process", "orders")},
}

// Payment methods of stripesim, the same as in the real gateway's test mode.
const (
	goodCard     = "pm_card_visa"
	declinedCard = "pm_card_chargeDeclined"
)

// Empty is the workflow that does nothing.
func Empty(workflow.Context) error { return nil }

func startEmpty(_ context.Context, s *stack) (place, error) {
	const queue = "bench-empty"
	w := worker.New(s.temporal.SDK, queue, temporalclient.WorkerOptions(workerConcurrency, workerStopTimeout))
	w.RegisterWorkflow(Empty)
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	s.atClose(func() error { w.Stop(); return nil })
	return func(ctx context.Context) (string, error) {
		options := client.StartWorkflowOptions{ID: "empty-" + uuid.NewString(), TaskQueue: queue}
		run, err := s.temporal.SDK.ExecuteWorkflow(ctx, options, Empty)
		if err != nil {
			return "", err
		}
		return run.GetID(), run.Get(ctx, nil)
	}, nil
}

// The worker program's defaults.
const (
	workerConcurrency = 200
	workerStopTimeout = 20 * time.Second
)

// shop places orders over HTTP, as a shop would: with a key, and waiting for the outcome. The programs that it needs have a
// task queue of their own; modes with the same queue share them.
func shop(card, queue string, programs ...string) func(context.Context, *stack) (place, error) {
	return func(ctx context.Context, s *stack) (place, error) {
		orders, err := s.shop(ctx, queue, programs)
		return func(ctx context.Context) (string, error) { return placeOrder(ctx, orders, newRequest(card)) }, err
	}
}

// placeOrder places an order, checks that it ends as its card says, and returns its workflow's ID.
func placeOrder(ctx context.Context, orders *orderclient.Client, req order.Request) (string, error) {
	n := orderclient.NewOrder{UserID: req.UserID, PaymentMethod: req.PaymentMethod}
	for _, it := range req.Items {
		n.Items = append(n.Items, orderclient.Item{ProductID: it.ProductID, Quantity: it.Quantity})
	}
	o, err := orders.Place(ctx, n, orderclient.WithKey(string(req.ID)), orderclient.Wait(callTimeout))
	var p *orderclient.Problem
	switch {
	case errors.As(err, &p) && p.Type == orderclient.PaymentDeclined && req.PaymentMethod == declinedCard:
		return order.ID(p.OrderID).WorkflowID(), nil
	case err != nil:
		return "", err
	case o.Status != orderclient.Confirmed || req.PaymentMethod != goodCard:
		return "", fmt.Errorf("order %s with card %s is %s", o.ID, req.PaymentMethod, o.Status)
	}
	return order.ID(o.ID).WorkflowID(), nil
}

// products is how many there are to choose from.
const products = 100

// newRequest returns an order of one random product.
func newRequest(card string) order.Request {
	return order.Request{
		ID: order.ID(uuid.Must(uuid.NewV7()).String()), UserID: 1 + rand.Int64N(1000), PaymentMethod: card, Hash: "bench",
		Items: []order.Item{{ProductID: productID(rand.IntN(products)), Quantity: 1}},
	}
}

func productID(i int) string { return fmt.Sprintf("bench-%d", i) }
