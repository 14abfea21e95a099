package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// actor is a call in progress. Its goroutine runs only while the game waits for it, so everything happens in one order.
type actor struct {
	name     string
	next     string // the operation before which it is parked
	chosen   chan outcome
	parked   chan struct{}
	finished bool
	dead     bool
}

// outcome is what happens to the operation before which an actor is parked.
type outcome int

const (
	proceed      outcome = iota
	fail                 // it does not happen, and its caller gets an error
	loseResponse         // it happens, and its caller gets an error
	landLater            // its caller gets an error, and it happens later
)

var errLost = errors.New("connection lost")

type actorKey struct{}

// spawn starts an actor, parked before its first operation.
func (g *game) spawn(name string, run func(context.Context)) {
	a := &actor{name: name, next: "start", chosen: make(chan outcome), parked: make(chan struct{})}
	g.actors = append(g.actors, a)
	g.note("new: %s", name)
	go func() {
		a.wait()
		run(context.WithValue(g.ctx, actorKey{}, a))
		a.finished = true
		a.parked <- struct{}{}
	}()
}

// wait blocks the actor's goroutine until the game resumes it.
func (a *actor) wait() outcome { return <-a.chosen }

// park returns the turn to the game and waits to be resumed.
func (a *actor) park(op string) outcome {
	if a.dead {
		return fail
	}
	a.next = op
	a.parked <- struct{}{}
	return a.wait()
}

// resume lets an actor run until it parks again or finishes.
func (g *game) resume(a *actor, o outcome) {
	if a.next == "start" {
		o = proceed
	} else {
		g.note("%s: %s%s", a.name, a.next, []string{"", " FAILS", " LOSES ITS RESPONSE", " WILL LAND LATER"}[o])
	}
	a.chosen <- o
	<-a.parked
	if a.finished {
		g.actors = slices.DeleteFunc(g.actors, func(b *actor) bool { return a == b })
	}
}

// kill makes every operation of an actor fail until it gives up.
func (g *game) kill(a *actor) {
	a.dead = true
	for !a.finished {
		g.resume(a, fail)
	}
}

func (g *game) killAll() {
	for len(g.actors) > 0 {
		g.kill(g.actors[0])
	}
}

// gate returns a store that parks actors before every operation. It hides reservations of other histories in the same store.
func (g *game) gate(store stock.Store) stock.Store {
	return storeOf{watched{store, g.pass}, g.options.prefix}
}

// pass lets the game choose what happens to an operation.
func (g *game) pass(ctx context.Context, operation string, call func(context.Context) error) error {
	a := ctx.Value(actorKey{}).(*actor)
	switch a.park(operation) {
	case proceed:
		return call(g.ctx)
	case loseResponse:
		_ = call(g.ctx)
	case landLater:
		g.ghosts = append(g.ghosts, ghost{a.name + ": " + operation, func() { _ = call(g.ctx) }})
	}
	return errLost
}

// storeOf hides reservations with another prefix.
type storeOf struct {
	stock.Store
	prefix string
}

func (s storeOf) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	found, err := s.Store.Due(ctx, q)
	return slices.DeleteFunc(found, func(r stock.Reservation) bool { return !strings.HasPrefix(r.ID, s.prefix) }), err
}
