package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

// Order is what a customer orders.
type Order struct {
	ID    string `json:"id"`
	Units int    `json:"units"`
	Price int    `json:"price"` // of a unit, in cents
}

// plan is the saga of an order. Its store decides: Confirm and Close are guarded statements on the same row, so only one of
// them wins. An undisturbed order needs no checkpoint and runs in one workflow task.
func plan(in Order) saga.Plan {
	var s *Shop // names the activities
	order := func(ctx workflow.Context) Line { return Line{Key: saga.Key(ctx), Order: in} }
	return saga.Plan{
		Name: "order",
		Steps: []saga.Step{
			// The row stays; Finish cancels it.
			{Name: "Create", Do: func(ctx workflow.Context) error { return move(ctx, s.CreateOrder, in.ID, Pending) }},
			saga.Pair("Stock", order, s.ReserveStock, s.ReleaseStock),
			saga.Pair("Payment", order, s.ChargePayment, s.RefundPayment),
		},
		Pivot: saga.Step{Name: "Confirm", Do: func(ctx workflow.Context) error {
			return move(ctx, s.ConfirmOrder, in.ID, Confirmed)
		}},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			status, err := saga.Execute(ctx, s.CloseOrder, in.ID)
			return verdicts[status], err
		},
		Finish: saga.Step{Name: "Finish", Do: func(ctx workflow.Context) error { return saga.Do(ctx, s.FinishOrder, in.ID) }},
		Retriable: []saga.Step{
			{Name: "Publish", Do: func(ctx workflow.Context) error { return saga.Do(ctx, s.PublishEvent, in.ID) }},
		},
	}
}

// verdicts are what the status after CloseOrder means.
var verdicts = map[Status]saga.Verdict{Closing: saga.Backward, Confirmed: saga.Forward, Cancelled: saga.Ended}

// move runs an activity that moves the order to a status. When the order has another one, its end is already decided, and the
// fence says how.
func move(ctx workflow.Context, activity func(context.Context, string) (Status, error), id string, to Status) error {
	got, err := saga.Execute(ctx, activity, id)
	if err == nil && got != to {
		return saga.ErrStop
	}
	return err
}

func options(in Order) saga.Options { return saga.Options{PivotTimeout: 15 * time.Minute, Key: in.ID} }

// Place places an order. A refused order is an outcome: the workflow completes and says why.
func Place(ctx workflow.Context, in Order) (saga.Outcome, error) {
	return settled(plan(in).Run(ctx, options(in)))
}

// Recover finishes an order whose workflow was terminated or failed. It needs only the store, not the lost history.
func Recover(ctx workflow.Context, in Order) (saga.Outcome, error) {
	return settled(plan(in).Recover(ctx, options(in)))
}

func settled(outcome saga.Outcome, err error) (saga.Outcome, error) {
	if _, unwound := saga.Unwound(err); unwound {
		return outcome, nil
	}
	return outcome, err
}

// Line is the input of the steps that have an undo.
type Line struct {
	Key string `json:"key"`
	Order
}

// Shop holds the activities.
type Shop struct {
	Orders          *Store
	Events          *Events
	Stock, Payments *remote.Service
}

// CreateOrder stores the order as pending.
func (s *Shop) CreateOrder(_ context.Context, id string) (Status, error) {
	return s.Orders.Create(id), nil
}

// ReserveStock is refused when the stock is too low.
func (s *Shop) ReserveStock(_ context.Context, in Line) (string, error) {
	return s.Stock.Take(in.Key, in.Units)
}

// ReleaseStock undoes ReserveStock.
func (s *Shop) ReleaseStock(_ context.Context, in saga.Undoing[Line, string]) error {
	s.Stock.GiveBack(in.Key)
	return nil
}

// ChargePayment is refused when the customer has too little money.
func (s *Shop) ChargePayment(_ context.Context, in Line) (string, error) {
	return s.Payments.Take(in.Key, in.Units*in.Price)
}

// RefundPayment undoes ChargePayment.
func (s *Shop) RefundPayment(_ context.Context, in saga.Undoing[Line, string]) error {
	s.Payments.GiveBack(in.Key)
	return nil
}

// ConfirmOrder is the pivot.
func (s *Shop) ConfirmOrder(_ context.Context, id string) (Status, error) {
	return s.Orders.Confirm(id), nil
}

// CloseOrder is the fence.
func (s *Shop) CloseOrder(_ context.Context, id string) (Status, error) {
	return s.Orders.Close(id), nil
}

// FinishOrder records that all is undone.
func (s *Shop) FinishOrder(_ context.Context, id string) error {
	s.Orders.Finish(id)
	return nil
}

// PublishEvent tells the world how the order ended.
func (s *Shop) PublishEvent(_ context.Context, id string) error {
	s.Events.Publish(id, s.Orders.Status(id))
	return nil
}
