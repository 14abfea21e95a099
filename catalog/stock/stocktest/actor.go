package stocktest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// actor is a call in progress. Its goroutine runs only while the game waits for it, so that everything happens in one
// order.
type actor struct {
	name     string
	next     string // the operation that it is parked before
	chosen   chan outcome
	parked   chan struct{}
	finished bool
	dead     bool
}

// outcome is what happens to the operation that an actor is parked before.
type outcome int

const (
	proceed    outcome = iota
	fail               // it does not happen, and its caller gets an error
	loseAnswer         // it happens, and its caller gets an error
	landLater          // its caller gets an error, and it happens later
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

// wait is called in the actor's goroutine: it gives the turn back to the game by resume, or just waits at the start.
func (a *actor) wait() outcome { return <-a.chosen }

// park gives the turn back and waits to be chosen again.
func (a *actor) park(op string) outcome {
	if a.dead {
		return fail
	}
	a.next = op
	a.parked <- struct{}{}
	return a.wait()
}

// resume lets an actor go on until it parks again or finishes.
func (g *game) resume(a *actor, o outcome) {
	if a.next == "start" {
		o = proceed
	} else {
		g.note("%s: %s%s", a.name, a.next, []string{"", " FAILS", " LOSES ITS ANSWER", " WILL LAND LATER"}[o])
	}
	a.chosen <- o
	<-a.parked
	if a.finished {
		g.actors = slices.DeleteFunc(g.actors, func(b *actor) bool { return a == b })
	}
}

// kill lets every operation of an actor fail until it gives up.
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

// gate is a store at which actors park before every operation.
type gate struct{ game *game }

func through[T any](ctx context.Context, g *game, name string, op func() (T, error)) (T, error) {
	var nothing T
	a := ctx.Value(actorKey{}).(*actor)
	switch a.park(name) {
	case proceed:
		return op()
	case loseAnswer:
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

func (g *gate) Insert(ctx context.Context, r stock.Reservation) error {
	_, err := through(ctx, g.game, "insert "+r.ID+" "+string(r.State), func() (struct{}, error) {
		return struct{}{}, g.game.played.Insert(g.game.ctx, r)
	})
	return err
}

func (g *gate) Reservation(ctx context.Context, id string) (stock.Reservation, error) {
	return through(ctx, g.game, "read "+id, func() (stock.Reservation, error) {
		return g.game.played.Reservation(g.game.ctx, id)
	})
}

func (g *gate) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	name := fmt.Sprintf("change %s %s → %s %s", c.ID, c.From, c.To, c.Why)
	h, err := through(ctx, g.game, name, func() (hit[stock.Reservation], error) {
		r, ok, err := g.game.played.Change(g.game.ctx, c)
		return hit[stock.Reservation]{r, ok}, err
	})
	return h.value, h.ok, err
}

func (g *gate) Due(ctx context.Context, q stock.Due) ([]stock.Reservation, error) {
	return through(ctx, g.game, "find due", func() ([]stock.Reservation, error) {
		found, err := g.game.played.Due(g.game.ctx, q)
		return slices.DeleteFunc(found, func(r stock.Reservation) bool { return !g.game.mine(r.ID) }), err
	})
}

func (g *gate) States(ctx context.Context, ids []string) (map[string]stock.State, error) {
	return through(ctx, g.game, "read states", func() (map[string]stock.State, error) {
		return g.game.played.States(g.game.ctx, ids)
	})
}

func (g *gate) View(ctx context.Context, id string, productIDs []string) (map[string]stock.View, error) {
	return through(ctx, g.game, "view products", func() (map[string]stock.View, error) {
		return g.game.played.View(g.game.ctx, id, productIDs)
	})
}

func (g *gate) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	name := fmt.Sprintf("apply %+v", u)
	h, err := through(ctx, g.game, name, func() (hit[stock.Applied], error) {
		a, ok, err := g.game.played.Apply(g.game.ctx, u)
		return hit[stock.Applied]{a, ok}, err
	})
	return h.value, h.ok, err
}

func (g *gate) Marks(ctx context.Context, productID string) (map[string]stock.Mark, error) {
	return through(ctx, g.game, "read marks of "+productID, func() (map[string]stock.Mark, error) {
		return g.game.played.Marks(g.game.ctx, productID)
	})
}

func (g *gate) Prune(ctx context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	return through(ctx, g.game, fmt.Sprintf("prune %s %v", productID, marks), func() (bool, error) {
		return g.game.played.Prune(g.game.ctx, productID, marks)
	})
}

func (g *gate) Counters(ctx context.Context, productID string) (stock.Counters, error) {
	return through(ctx, g.game, "count "+productID, func() (stock.Counters, error) {
		return g.game.played.Counters(g.game.ctx, productID)
	})
}
