package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

// gate is a store that parks actors before every operation, except those that only audits use.
type gate struct {
	stock.Store
	game *game
}

func through[T any](ctx context.Context, g *game, name string, op func() (T, error)) (T, error) {
	var nothing T
	a := ctx.Value(actorKey{}).(*actor)
	switch a.park(name) {
	case proceed:
		return op()
	case loseResponse:
		_, _ = op()
	case landLater:
		g.ghosts = append(g.ghosts, ghost{a.name + ": " + name, func() { _, _ = op() }})
	}
	return nothing, errLost
}

// hit is a result that may have missed.
type hit[T any] struct {
	value T
	ok    bool
}

// hitThrough is through for operations that may miss.
func hitThrough[T any](ctx context.Context, g *game, name string, op func() (T, bool, error)) (T, bool, error) {
	h, err := through(ctx, g, name, func() (hit[T], error) {
		v, ok, err := op()
		return hit[T]{v, ok}, err
	})
	return h.value, h.ok, err
}

// errorThrough is through for operations without a result.
func errorThrough(ctx context.Context, g *game, name string, op func() error) error {
	_, err := through(ctx, g, name, func() (struct{}, error) { return struct{}{}, op() })
	return err
}

func (g *gate) Insert(ctx context.Context, r stock.Reservation) error {
	return errorThrough(ctx, g.game, "insert "+r.ID+" "+string(r.State), func() error {
		return g.Store.Insert(g.game.ctx, r)
	})
}

func (g *gate) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	return through(ctx, g.game, "read "+id, func() (stock.Reservation, error) {
		return g.Store.Reservation(g.game.ctx, id)
	})
}

func (g *gate) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	name := fmt.Sprintf("change %s %s → %s %s", c.ID, c.From, c.To, c.Why)
	return hitThrough(ctx, g.game, name, func() (stock.Reservation, bool, error) { return g.Store.Change(g.game.ctx, c) })
}

// Due hides reservations of other histories in the same store.
func (g *gate) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	return through(ctx, g.game, "find due", func() ([]stock.Reservation, error) {
		found, err := g.Store.Due(g.game.ctx, q)
		return slices.DeleteFunc(found, func(r stock.Reservation) bool { return !strings.HasPrefix(r.ID, g.game.options.prefix) }), err
	})
}

func (g *gate) InsertAdjustment(ctx context.Context, a stock.Adjustment) error {
	return errorThrough(ctx, g.game, "insert "+a.ID, func() error { return g.Store.InsertAdjustment(g.game.ctx, a) })
}

func (g *gate) Adjustment(ctx context.Context, id string) (stock.Adjustment, error) {
	return through(ctx, g.game, "read "+id, func() (stock.Adjustment, error) { return g.Store.Adjustment(g.game.ctx, id) })
}

func (g *gate) EndAdjustment(
	ctx context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	return hitThrough(ctx, g.game, fmt.Sprintf("change %s → %s", id, to), func() (stock.Adjustment, bool, error) {
		return g.Store.EndAdjustment(g.game.ctx, id, to, available, at)
	})
}

func (g *gate) FinalMarks(ctx context.Context, owners []string) (map[string]stock.Mark, error) {
	return through(ctx, g.game, "read final marks", func() (map[string]stock.Mark, error) {
		return g.Store.FinalMarks(g.game.ctx, owners)
	})
}

func (g *gate) PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error) {
	return through(ctx, g.game, "find pending adjustments", func() ([]string, error) {
		return g.Store.PendingAdjustments(g.game.ctx, since, limit)
	})
}

func (g *gate) View(ctx context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	return through(ctx, g.game, "view products", func() (map[string]stock.View, error) {
		return g.Store.View(g.game.ctx, owner, productIDs)
	})
}

func (g *gate) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	return hitThrough(ctx, g.game, fmt.Sprintf("apply %+v", u), func() (stock.After, bool, error) {
		return g.Store.Apply(g.game.ctx, u)
	})
}

func (g *gate) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	return through(ctx, g.game, fmt.Sprintf("prune %s %v", productID, marks), func() (bool, error) {
		return g.Store.Prune(g.game.ctx, productID, marks)
	})
}

func (g *gate) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	return through(ctx, g.game, "read products", func() (map[string]stock.Snapshot, error) {
		return g.Store.Snapshots(g.game.ctx, productIDs)
	})
}
