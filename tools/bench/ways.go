package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// ways are the modes that compare how a client learns the outcome.
func (s *stack) ways() []mode {
	return []mode{
		{name: "saga-update", about: "saga without stores, update-with-start", run: s.orders(s.byUpdate(localQueue))},
		{name: "saga-wait", about: "saga without stores, start and wait", run: s.orders(s.byWaiting(localQueue, false))},
		{name: "saga-eager", about: "saga without stores, eager start and wait", run: s.orders(s.byWaiting(localQueue, true))},
		{name: "empty-wait", about: "empty workflow, start and wait", run: s.empty(localQueue, false)},
		{name: "empty-eager", about: "empty workflow, eager start and wait", run: s.empty(localQueue, true)},
	}
}

// localWorker is a worker in the client's own process, which eager start needs. The saga's stores are in memory.
func localWorker(temporal client.Client, queue string) worker.Worker {
	w := worker.New(temporal, queue, temporalclient.WorkerOptions(workerConcurrency, workerStopTimeout))
	w.RegisterWorkflow(Empty)
	w.RegisterWorkflow(workflows.CreateOrder)
	w.RegisterActivity(&activities.Activities{
		Catalog: nowhere{}, Payments: nowhere{}, Orders: ordertest.NewMemory(time.Now), Events: nowhere{}, Alarms: nowhere{},
	})
	return w
}

// nowhere is the outside world of a saga without one: everything works, at once.
type nowhere struct{}

func (nowhere) PriceItems(_ context.Context, items []order.Item) ([]order.Line, error) {
	lines := make([]order.Line, len(items))
	for i, it := range items {
		lines[i] = order.Line{
			ProductID: it.ProductID, Name: "Product " + it.ProductID, Quantity: it.Quantity,
			Price: money.Money{Amount: price, Currency: "USD"},
		}
	}
	return lines, nil
}

func (nowhere) Reserve(context.Context, order.ID, []order.Item, time.Time) error { return nil }
func (nowhere) Commit(context.Context, order.ID) error                           { return nil }
func (nowhere) Release(context.Context, order.ID) error                          { return nil }
func (nowhere) Chargeable(money.Money) error                                     { return nil }
func (nowhere) Charge(context.Context, order.Payment) (string, error)            { return "pi_none", nil }
func (nowhere) Refund(context.Context, order.Payment) error                      { return nil }
func (nowhere) Publish(context.Context, order.Event) error                       { return nil }
func (nowhere) RaiseAlarm(context.Context, order.Attention) error                { return nil }
