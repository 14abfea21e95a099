package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// chooser makes the choices of a history: a number below n.
type chooser func(what string, n int) int

// options shape a history.
type options struct {
	prefix string           // of all IDs, so that histories can share a store
	steps  int              // random steps, before everything is finished
	wrong  memorytest.Wrong // how the store misbehaves
	lazy   bool             // check only every 10th step, for slow stores
	sold   bool             // begin with sold orders, and mostly return units of them
}

// Limits of a history. They are small, so that orders collide.
const (
	orderCount = 3
	maxSold    = 4 // units of a product in an order that begins sold, so that there is room for several returns
	maxActors  = 5
	grace      = 5 * time.Second
)

// play plays one history. It returns the first broken promise with the steps that led to it.
func play(ctx context.Context, c chooser, store Store, o options) error {
	g := &game{ctx: ctx, choose: c, store: store, options: o, now: start}
	if err := g.setUp(); err != nil {
		return err
	}
	err := g.play()
	g.killAll()
	if err != nil {
		return fmt.Errorf("%w\nafter:\n%s", err, g.trace())
	}
	return nil
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type game struct {
	ctx      context.Context
	choose   chooser
	store    Store // what the checks read; the services may use a wrong one on top of it
	options  options
	now      time.Time
	products []string
	initial  map[string]int64
	orders   []*order
	services []*stock.Service
	actors   []*actor // alive
	ghosts   []ghost  // operations that failed for their callers and will land later
	log      []string
	broken   error // a promise that the response of a call broke
}

// ghost is an operation that lands late.
type ghost struct {
	name string
	land func()
}

func (g *game) setUp() error {
	g.initial = map[string]int64{}
	for _, name := range []string{"a", "b"} {
		id := g.options.prefix + name
		g.products = append(g.products, id)
		g.initial[id] = 1 + int64(g.choose("initial stock", 3))
		if g.options.sold {
			g.initial[id] += orderCount * maxSold
		}
		if err := g.store.CreateProduct(g.ctx, product.Product{ID: id, Stock: g.initial[id]}); err != nil {
			return fmt.Errorf("create product: %w", err)
		}
	}
	for i := range orderCount {
		g.orders = append(g.orders, g.newOrder(i))
	}
	gated := g.gate(g.store)
	switch wrong := g.options.wrong; {
	case wrong.Torn:
		gated = wrong.Over(gated)
	case wrong.Over != nil:
		gated = g.gate(wrong.Over(g.store))
	}
	for range 2 {
		g.services = append(g.services, stock.New(gated, stock.Options{
			Now:     func() time.Time { return g.now },
			Later:   func(task func(context.Context)) { g.spawn("background", task) },
			Grace:   grace,
			PruneAt: 1 + g.choose("prune at", 3),
			Log:     slog.New(slog.DiscardHandler),
		}))
	}
	for _, o := range g.orders {
		if g.options.sold || g.choose("sold at the start", 4) == 0 {
			g.sell(o)
		}
	}
	return g.broken
}

// sell reserves and commits an order before anything can go wrong. It may be short.
func (g *game) sell(o *order) {
	service := stock.New(g.store, stock.Options{Now: func() time.Time { return g.now }, PruneAt: 1})
	_, err := service.Reserve(g.ctx, o.id, o.lines, o.expiresAt)
	g.reserved(o, false, err)
	if err == nil {
		_, err = service.Commit(g.ctx, o.id)
		g.committed(o, err)
	}
}

// play takes random steps, then finishes everything.
func (g *game) play() error {
	for n := range g.options.steps {
		g.step()
		if g.options.lazy && n%10 != 0 {
			continue
		}
		if err := g.check(); err != nil {
			return err
		}
	}
	return g.end()
}

// step does one random thing.
func (g *game) step() {
	const kinds = 12
	switch kind := g.choose("step", kinds); {
	case kind < 3 && len(g.actors) < maxActors || len(g.actors) == 0:
		g.startCall()
	case kind < 10:
		a := g.actors[g.choose("actor", len(g.actors))]
		g.resume(a, proceed)
	case kind == 10 && len(g.ghosts) > 0:
		i := g.choose("ghost", len(g.ghosts))
		ghost := g.ghosts[i]
		g.ghosts = slices.Delete(g.ghosts, i, i+1)
		g.note("lands late: %s", ghost.name)
		ghost.land()
	default:
		g.disturb()
	}
}

// disturb makes something go wrong, or time pass.
func (g *game) disturb() {
	a := g.actors[g.choose("actor", len(g.actors))]
	switch g.choose("disturbance", 5) {
	case 0:
		g.resume(a, fail)
	case 1:
		g.resume(a, loseResponse)
	case 2:
		g.resume(a, landLater)
	case 3:
		g.note("%s dies", a.name)
		g.kill(a)
	case 4:
		g.now = g.now.Add(4 * time.Second)
		g.note("4 s pass")
	}
}

// startCall starts a random call on a random service.
func (g *game) startCall() {
	n := g.choose("service", len(g.services))
	service := g.services[n]
	o := g.orders[g.choose("order", len(g.orders))]
	kind := g.choose("call", 16)
	if g.options.sold && kind < 8 {
		kind = 9
	}
	switch {
	case kind < 4:
		released := o.releaseDone
		g.spawn(fmt.Sprintf("reserve %s on %d", o.id, n), func(ctx context.Context) {
			_, err := service.Reserve(ctx, o.id, o.lines, o.expiresAt)
			g.reserved(o, released, err)
		})
	case kind < 7:
		g.spawn(fmt.Sprintf("commit %s on %d", o.id, n), func(ctx context.Context) {
			_, err := service.Commit(ctx, o.id)
			g.committed(o, err)
		})
	case kind < 9:
		o.releaseStarted = true
		g.spawn(fmt.Sprintf("release %s on %d", o.id, n), func(ctx context.Context) {
			_, err := service.Release(ctx, o.id)
			o.releaseDone = o.releaseDone || err == nil
			g.note("release %s: %v", o.id, err)
		})
	case kind < 13:
		b := o.returns[g.choose("return", len(o.returns))]
		b.asked = true
		g.spawn(fmt.Sprintf("return %s of %s on %d", b.ID, o.id, n), func(ctx context.Context) {
			_, err := service.Return(ctx, o.id, b.ID, b.Lines)
			g.returned(o, b, err)
		})
	case kind < 14:
		g.spawn(fmt.Sprintf("sweep on %d", n), func(ctx context.Context) { _, _ = service.Sweep(ctx) })
	case kind < 15:
		p := g.products[g.choose("product", len(g.products))]
		g.spawn(fmt.Sprintf("prune %s on %d", p, n), func(ctx context.Context) { _ = service.Prune(ctx, p) })
	default:
		g.startAdjustment(service, n)
	}
}

// startAdjustment starts a correction or a restock.
func (g *game) startAdjustment(service *stock.Service, n int) {
	corrects := g.choose("adjustment", 2) == 0
	p := g.products[g.choose("product", len(g.products))]
	key := fmt.Sprintf("%skey%d", g.options.prefix, g.choose("key", 2))
	if corrects {
		g.spawn(fmt.Sprintf("correct %s %s on %d", p, key, n), func(ctx context.Context) {
			_, _ = service.Correct(ctx, p, key, -2, "broken")
		})
		return
	}
	g.spawn(fmt.Sprintf("restock %s %s on %d", p, key, n), func(ctx context.Context) {
		_, _ = service.Restock(ctx, p, key, 1)
	})
}

// end lets all calls finish and all operations land, sweeps until no work is left, and releases everything.
func (g *game) end() error {
	for len(g.actors) > 0 {
		g.resume(g.actors[g.choose("actor", len(g.actors))], proceed)
		if err := g.check(); err != nil && !g.options.lazy {
			return err
		}
	}
	for _, ghost := range g.ghosts {
		g.note("lands at the end: %s", ghost.name)
		ghost.land()
	}
	if err := g.check(); err != nil {
		return err
	}
	if err := g.settle(); err != nil {
		return err
	}
	if err := g.accountedFor(); err != nil {
		return err
	}
	for _, o := range g.orders {
		g.spawn("last release of "+o.id, func(ctx context.Context) {
			o.releaseStarted = true
			if _, err := g.services[0].Release(ctx, o.id); err != nil {
				g.broken = fmt.Errorf("releasing %s at the end, undisturbed: %w", o.id, err)
			}
			o.releaseDone = true
		})
		g.runAll()
	}
	if err := g.check(); err != nil {
		return err
	}
	if err := g.allAvailable(); err != nil {
		return err
	}
	return g.accountedFor()
}

// settle sweeps until every reservation is at rest.
func (g *game) settle() error {
	for range 5 {
		g.now = g.now.Add(grace + time.Second)
		left := 0
		g.spawn("last sweep", func(ctx context.Context) {
			n, err := g.services[1].Sweep(ctx)
			left = n
			if err != nil {
				g.broken = fmt.Errorf("an undisturbed sweep: %w", err)
			}
		})
		g.runAll()
		if err := g.check(); err != nil {
			return err
		}
		if left == 0 {
			return g.allAtRest()
		}
	}
	return errors.New("after five undisturbed sweeps some work is left")
}

func (g *game) runAll() {
	for len(g.actors) > 0 {
		g.resume(g.actors[0], proceed)
	}
}

func (g *game) note(format string, args ...any) {
	g.log = append(g.log, fmt.Sprintf(format, args...))
}

func (g *game) trace() string {
	var out string
	for i, line := range g.log {
		out += fmt.Sprintf("%4d  %s\n", i+1, line)
	}
	return out
}
