package sagatest_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

// agency is the outside world of a trip: three systems that take bookings, and the mail. Its flags are mistakes of its
// activities.
type agency struct {
	mu        sync.Mutex
	booked    map[string]int
	cancelled map[string]bool // tombstones
	tickets   map[string]bool // by trip: a mail that is sent twice has the same message ID

	noKey, noTombstone, cancelsTwice, trustsMemory bool
}

func newAgency() *agency {
	return &agency{booked: map[string]int{}, cancelled: map[string]bool{}, tickets: map[string]bool{}}
}

func (a *agency) book(what string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancelled[what] {
		return "", saga.Refuse("CANCELLED", what+" was cancelled", nil)
	}
	if a.booked[what] == 0 || a.noKey {
		a.booked[what]++
	}
	return what + " 1", nil
}

func (a *agency) cancel(what string, in saga.Undoing[string, string]) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.trustsMemory && !in.Known:
		return nil
	case a.cancelsTwice && a.cancelled[what]:
		a.booked[what]-- // pays back each time
	default:
		delete(a.booked, what)
	}
	a.cancelled[what] = !a.noTombstone
	return nil
}

func (a *agency) BookFlight(context.Context, string) (string, error) { return a.book("flight") }
func (a *agency) BookHotel(context.Context, string) (string, error)  { return a.book("hotel") }
func (a *agency) BookCar(context.Context, string) (string, error)    { return a.book("car") }

func (a *agency) CancelFlight(_ context.Context, in saga.Undoing[string, string]) error {
	return a.cancel("flight", in)
}

func (a *agency) CancelHotel(_ context.Context, in saga.Undoing[string, string]) error {
	return a.cancel("hotel", in)
}

func (a *agency) CancelCar(_ context.Context, in saga.Undoing[string, string]) error {
	return a.cancel("car", in)
}

// SendTickets cannot be undone.
func (a *agency) SendTickets(_ context.Context, trip string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tickets[trip] = true
	return nil
}

// inEffect is what customers and partners of the agency see.
func (a *agency) inEffect() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return map[string]any{"booked": maps.Clone(a.booked), "tickets": maps.Clone(a.tickets)}
}

var booking *agency // names activities

func tripPlan(trip string) saga.Plan {
	return saga.Plan{
		Name: "trip",
		Steps: []saga.Step{
			saga.Pair("BookFlight", saga.Value(trip), booking.BookFlight, booking.CancelFlight),
			saga.Pair("BookHotel", saga.Value(trip), booking.BookHotel, booking.CancelHotel),
			saga.Pair("BookCar", saga.Value(trip), booking.BookCar, booking.CancelCar),
		},
		Pivot: tickets(trip),
	}
}

func tickets(trip string) saga.Step {
	return saga.Step{Name: "SendTickets", Do: func(ctx workflow.Context) error {
		return saga.Do(ctx, booking.SendTickets, trip)
	}}
}

func takeTrip(ctx workflow.Context, trip string) error {
	_, err := tripPlan(trip).Run(ctx, saga.Options{PivotTimeout: 15 * time.Minute})
	return err
}

// trip is what the explorer needs to know about a trip.
func trip(wf any, mistake func(*agency)) sagatest.Saga {
	return sagatest.Saga{Workflow: wf, Args: []any{"Rome"}, World: func() sagatest.World {
		a := newAgency()
		mistake(a)
		return sagatest.World{
			Activities: []any{a},
			InEffect:   a.inEffect,
			Invariants: []sagatest.Invariant{sagatest.InOrder("CancelCar", "CancelHotel", "CancelFlight")},
		}
	}}
}

func TestTripKeepsItsPromisesUnderEveryDisturbance(t *testing.T) {
	t.Parallel()
	sagatest.Explore(t, trip(takeTrip, func(*agency) {}))
}

// planned is a trip whose plan has a mistake.
func planned(mistake func(ctx workflow.Context, p *saga.Plan)) any {
	return func(ctx workflow.Context, trip string) error {
		p := tripPlan(trip)
		mistake(ctx, &p)
		_, err := p.Run(ctx, saga.Options{PivotTimeout: 15 * time.Minute})
		return err
	}
}

// byHand is a trip as the samples write it: an undo is registered once its step is done.
func byHand(ctx workflow.Context, trip string) (err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3},
	})
	var undos []any
	defer func() {
		if err == nil {
			return
		}
		free, _ := workflow.NewDisconnectedContext(ctx)
		for i := len(undos) - 1; i >= 0; i-- {
			_ = workflow.ExecuteActivity(free, undos[i], saga.Undoing[string, string]{Input: trip, Known: true}).Get(free, nil)
		}
		err = temporal.NewCanceledError()
	}()
	for _, s := range [][2]any{
		{booking.BookFlight, booking.CancelFlight}, {booking.BookHotel, booking.CancelHotel}, {booking.BookCar, booking.CancelCar},
	} {
		if err := workflow.ExecuteActivity(ctx, s[0], trip).Get(ctx, nil); err != nil {
			return err
		}
		undos = append(undos, s[1])
	}
	return workflow.ExecuteActivity(ctx, booking.SendTickets, trip).Get(ctx, nil)
}

// mistakes are natural ways to get a trip wrong.
var mistakes = map[string]sagatest.Saga{
	"the undo is registered by hand, after its step": trip(byHand, func(*agency) {}),
	"a step is not idempotent":                       trip(takeTrip, func(a *agency) { a.noKey = true }),
	"an undo is not idempotent":                      trip(takeTrip, func(a *agency) { a.cancelsTwice = true }),
	"no tombstone":                                   trip(takeTrip, func(a *agency) { a.noTombstone = true }),
	"an undo ignores an unknown result":              trip(takeTrip, func(a *agency) { a.trustsMemory = true }),
	"confirmed before the fence": wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		p.Steps, p.Pivot = append(p.Steps, p.Pivot), saga.Step{}
	}),
	"a fence that always unwinds": wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		p.Fence = func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil }
	}),
	"undos in the wrong order": wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		p.Steps[0].Undo, p.Steps[1].Undo = p.Steps[1].Undo, p.Steps[0].Undo
	}),
	"a step has no undo": wrongPlan(func(_ workflow.Context, p *saga.Plan) { p.Steps[1].Undo = nil }),
	"an undo on the cancelled context": wrongPlan(func(outer workflow.Context, p *saga.Plan) {
		outer = workflow.WithActivityOptions(outer, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		undo := *p.Steps[1].Undo
		undo.Do = func(ctx workflow.Context) error {
			in := saga.Undoing[string, string]{Input: "Rome", Known: true}
			return workflow.ExecuteActivity(outer, booking.CancelHotel, in).Get(ctx, nil)
		}
		p.Steps[1].Undo = &undo
	}),
	"a refusal is swallowed": wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		do := p.Steps[1].Do
		p.Steps[1].Do = func(ctx workflow.Context) error {
			if err := do(ctx); !saga.IsRefused(err) {
				return err
			}
			return nil
		}
	}),
	"a nested saga's refusal is ignored": wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		inner := saga.Plan{Name: "stay", Steps: slices.Clone(p.Steps[1:2])}
		p.Steps[1] = saga.Step{Name: "Stay", Do: func(ctx workflow.Context) error {
			_, _ = inner.Run(ctx, saga.Options{})
			return nil
		}}
	}),
}

func wrongPlan(mistake func(ctx workflow.Context, p *saga.Plan)) sagatest.Saga {
	return trip(planned(mistake), func(*agency) {})
}

func TestExplorerFindsEveryMistake(t *testing.T) {
	t.Parallel()
	if len(mistakes) != 12 {
		t.Fatalf("%d mistakes", len(mistakes))
	}
	for name, s := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := sagatest.Find(s, sagatest.Bounds{First: true})
			if len(found) == 0 {
				t.Fatal("not found")
			}
			t.Log(found[0])
		})
	}
}
