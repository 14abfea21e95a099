package main

import (
	"context"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/examples/internal/remote"
)

// Request is what a traveler wants.
type Request struct {
	Traveler    string `json:"traveler"`
	Destination string `json:"destination"`
}

// Trip books a flight, and then a hotel and a car side by side. It books all of them or none. It has no store: the
// workflow's history is the fence. A workflow that returns what Run returns fails when the saga is unwound, or ends as
// cancelled.
func Trip(ctx workflow.Context, req Request) (saga.Outcome, error) {
	var a *Agency // names the activities; the worker has the real one
	booking := func(ctx workflow.Context) Booking { return Booking{Key: saga.Key(ctx), Request: req} }
	plan := saga.Plan{
		Name: "trip",
		Steps: []saga.Step{
			saga.Pair("Flight", booking, a.BookFlight, a.CancelFlight),
			{Name: "Stay", Together: []saga.Step{
				saga.Pair("Hotel", booking, a.BookHotel, a.CancelHotel),
				saga.Pair("Car", booking, a.BookCar, a.CancelCar),
			}},
		},
	}
	return plan.Run(ctx, saga.Options{PivotTimeout: time.Hour})
}

// Booking is the input of the steps. Key is the idempotency key: the same in every attempt of a step, and in its undo.
type Booking struct {
	Key string `json:"key"`
	Request
}

// Agency holds the activities. Each acts on one outside system and is safe to run twice.
type Agency struct{ Flights, Hotels, Cars *remote.Service }

// BookFlight is refused when the flight is full. Any other error would be retried.
func (a *Agency) BookFlight(_ context.Context, in Booking) (ticket string, err error) {
	return a.Flights.Take(in.Key, 1)
}

// CancelFlight undoes BookFlight by its key, whether the ticket is known or its response was lost.
func (a *Agency) CancelFlight(_ context.Context, in saga.Undoing[Booking, string]) error {
	a.Flights.GiveBack(in.Key)
	return nil
}

// BookHotel books a room.
func (a *Agency) BookHotel(_ context.Context, in Booking) (room string, err error) {
	return a.Hotels.Take(in.Key, 1)
}

// CancelHotel undoes BookHotel.
func (a *Agency) CancelHotel(_ context.Context, in saga.Undoing[Booking, string]) error {
	a.Hotels.GiveBack(in.Key)
	return nil
}

// BookCar books a car.
func (a *Agency) BookCar(_ context.Context, in Booking) (car string, err error) {
	return a.Cars.Take(in.Key, 1)
}

// CancelCar undoes BookCar.
func (a *Agency) CancelCar(_ context.Context, in saga.Undoing[Booking, string]) error {
	a.Cars.GiveBack(in.Key)
	return nil
}
