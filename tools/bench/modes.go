package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// mode is one way to get an order, or nothing, done.
type mode struct {
	name    string
	about   string
	failing int // percent of the orders that fail
	run     func(ctx context.Context, failing bool) (workflowID string, err error)
}

// modes are the ones that the benchmark is about.
func (s *stack) modes() []mode {
	fast := s.orders(s.byUpdate(ordersQueue))
	return []mode{
		{name: "empty", about: "empty workflow, start and wait", run: s.empty(emptyQueue, false)},
		{name: "fast", about: "whole order, fast path, update-with-start", run: fast},
		{name: "regular", about: "whole order, regular activities only", run: s.orders(s.byUpdate(regularQueue))},
		{name: "http", about: "whole order over HTTP", run: s.orders(s.overHTTP)},
		{name: "fast-5%", about: "fast, 5 % of the orders failing", failing: 5, run: fast},
		{name: "fast-20%", about: "fast, 20 % of the orders failing", failing: 20, run: fast},
	}
}

// orders makes a mode's run from a way to place an order: it checks that each one ends as it should.
func (s *stack) orders(
	place func(context.Context, order.Request) (order.Order, error),
) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, failing bool) (string, error) {
		req, want := s.request(failing), order.Confirmed
		o, err := place(ctx, req)
		if err != nil {
			return "", fmt.Errorf("order %s: %w", req.ID, err)
		}
		if failing {
			want = order.Failed
		}
		// A failing order is answered when its fate is sealed, which is before it is undone and called FAILED.
		if got := o.Status; got != want && (!failing || !o.Closing) {
			return "", fmt.Errorf("order %s ended %s, want %s (%+v)", o.ID, got, want, o.Cause)
		}
		return o.ID.WorkflowID(), nil
	}
}

// byUpdate places an order as the api does: one request that starts the saga and brings back its outcome.
func (s *stack) byUpdate(queue string) func(context.Context, order.Request) (order.Order, error) {
	return func(ctx context.Context, req order.Request) (order.Order, error) {
		handle, err := s.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: s.temporal.NewWithStartWorkflowOperation(
				startOptions(req.ID.WorkflowID(), queue), workflows.CreateOrderWorkflow, req),
			UpdateOptions: client.UpdateWorkflowOptions{
				UpdateID: workflows.UpdateOutcome, UpdateName: workflows.UpdateOutcome,
				WaitForStage: client.WorkflowUpdateStageCompleted,
			},
		})
		if err != nil {
			return order.Order{}, err
		}
		var o order.Order
		return o, handle.Get(ctx, &o)
	}
}

// byWaiting places an order by starting its saga and waiting until it has ended. An eager start asks a worker in this
// process to take the first workflow task along with the answer to the start.
func (s *stack) byWaiting(queue string, eager bool) func(context.Context, order.Request) (order.Order, error) {
	return func(ctx context.Context, req order.Request) (o order.Order, err error) {
		options := startOptions(req.ID.WorkflowID(), queue)
		options.EnableEagerStart = eager
		run, err := s.temporal.ExecuteWorkflow(ctx, options, workflows.CreateOrderWorkflow, req)
		if err != nil {
			return o, err
		}
		return o, run.Get(ctx, &o)
	}
}

// empty starts the workflow that does nothing, and waits until it has ended.
func (s *stack) empty(queue string, eager bool) func(context.Context, bool) (string, error) {
	return func(ctx context.Context, _ bool) (string, error) {
		options := startOptions("empty-"+uuid.NewString(), queue)
		options.EnableEagerStart = eager
		run, err := s.temporal.ExecuteWorkflow(ctx, options, Empty)
		if err != nil {
			return "", err
		}
		return run.GetID(), run.Get(ctx, nil)
	}
}

// startOptions are those of the api, but for what it notes about the order for itself.
func startOptions(workflowID, queue string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: workflowID, TaskQueue: queue, WorkflowTaskTimeout: workflowTaskTimeout,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
}

// workflowTaskTimeout is the api's.
const workflowTaskTimeout = 5 * time.Second
