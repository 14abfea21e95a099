package workflows_test

import (
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// The matrix: on each of the two paths through the saga, every disturbance strikes every step, alone and together with every
// other disturbance on that path. Every invariant must hold at the end.

// forwardSteps are the steps up to and including the pivot; undoSteps are the fence and what may run after it. Both are in
// the order in which the saga calls them.
var (
	forwardSteps = []string{"PriceItems", "CreateOrder", "ReserveStock", "ChargePayment", "CommitStock", "ConfirmOrder"}
	undoSteps    = []string{"CloseOrder", "RefundPayment", "ReleaseStock", "FinishOrder", "PublishEvent"}
)

// path is a path through the saga: how the world is prepared for it, and the operations that are called.
type path struct {
	name    string
	prepare func(*world)
	steps   []string
}

var paths = []path{
	{"confirmed", func(*world) {}, append(slices.Clone(forwardSteps), "PublishEvent")},
	{"undone", func(w *world) { w.always["CommitStock"] = order.Refuse(order.ReservationLost, "expired") },
		append(slices.Clone(forwardSteps[:5]), undoSteps...)},
}

// manner is a way to disturb an operation. about says in docs/conformance.md what happens.
type manner struct {
	name   string
	about  string
	strike func(w *world, op string)
}

func manners() []manner {
	late := workflows.PivotTimeout + time.Minute
	next := func(n int, f fault) func(*world, string) {
		return func(w *world, op string) { w.breakNext(op, n, f) }
	}
	all := []manner{
		{"refused", "it refuses once; an operation that the saga must do refuses twice", refuse},
		{"broken, then well", "three calls fail before they take effect", next(3, fault{before: errBroken})},
		{"broken until it needs attention", "every call fails for 12 minutes",
			next(1, fault{before: errBroken, until: 12 * time.Minute})},
		{"broken past the deadline", "every call fails until after the deadline", next(1, fault{before: errBroken, until: late})},
		{"response lost", "one call takes effect, and its response is lost", next(1, fault{after: errBroken})},
		{"responses lost past the deadline", "every call takes effect, and its response is lost, until after the deadline",
			next(1, fault{after: errBroken, until: late})},
		{"hangs", "one call gets no response and takes effect only after the fence", next(1, fault{late: true})},
		{"hangs, and the order is cancelled", "the same, and the workflow is cancelled while the call hangs",
			func(w *world, op string) { w.breakNext(op, 1, fault{late: true, hook: w.cancel}) }},
		{"cancelled before", "the workflow is cancelled when it schedules the operation",
			func(w *world, op string) { w.plans[op] = append(w.plans[op], w.cancel) }},
		{"cancelled during", "the workflow is cancelled before the call takes effect",
			func(w *world, op string) { w.breakNext(op, 1, fault{hook: w.cancel}) }},
		{"cancelled after", "the workflow is cancelled after the call took effect",
			func(w *world, op string) { w.breakNext(op, 1, fault{done: w.cancel}) }},
	}
	for _, l := range losses {
		all = append(all, manner{
			"task lost, " + l.name, "the worker dies after the call took effect, and the workflow remembers nothing: " + l.about,
			func(w *world, op string) {
				w.breakNext(op, 1, fault{done: func() { w.die(func() { l.change(w) }) }})
			},
		})
	}
	return all
}

// losses are the worlds that a workflow may find when it runs again after it lost a task.
var losses = []struct {
	name, about string
	change      func(*world)
}{
	{"unchanged", "it runs again", func(*world) {}},
	{"cancelled", "it runs again, cancelled", func(w *world) { w.asleep = true }},
	{"too late", "it runs again, past its deadline", func(w *world) { w.pause = workflows.PivotTimeout + time.Minute }},
	{"hold expired", "it runs again, past the expiry of its hold", func(w *world) {
		w.pause = workflows.PivotTimeout + workflows.HoldMargin + time.Minute
	}},
	{"product gone", "it runs again without the product", func(w *world) { w.catalog.Remove(lamp) }},
	{"price changed", "it runs again at another price", func(w *world) {
		w.catalog.SetPrice(lamp, money.Money{Amount: 9999, Currency: "USD"})
	}},
	{"terminated", "it is terminated, and RecoverOrder runs", func(w *world) { w.recovering = true }},
}

// refuse makes op refuse once. What the saga must do whatever happens, refuses twice.
func refuse(w *world, op string) {
	if reason, ok := refusals[op]; ok {
		w.breakNext(op, 1, fault{before: order.Refuse(reason, "no")})
		return
	}
	w.breakNext(op, 2, fault{before: order.Refuse("NO", "no")})
}

var refusals = map[string]order.Reason{
	"PriceItems": order.ProductNotFound, "CreateOrder": order.InvalidAmount, "ReserveStock": order.OutOfStock,
	"ChargePayment": order.PaymentDeclined, "CommitStock": order.ReservationLost, "ConfirmOrder": order.MixedCurrencies,
}

// point is one disturbance of one operation.
type point struct {
	op     string
	manner manner
}

func (p point) String() string { return p.op + " " + p.manner.name }

// trial is one run of the matrix: a path with one disturbance, or with two.
type trial struct {
	path   path
	points []point
}

func (c trial) String() string {
	names := make([]string, len(c.points))
	for i, p := range c.points {
		names[i] = p.String()
	}
	return c.path.name + ": " + strings.Join(names, "; ")
}

// violations runs the trial and returns the broken invariants.
func (c trial) violations() []string {
	w := newWorld()
	for _, p := range c.points {
		p.manner.strike(w, p.op)
	}
	c.path.prepare(w)
	return w.live(request(visa))
}

func (w path) points() []point {
	var out []point
	for _, op := range w.steps {
		for _, m := range manners() {
			out = append(out, point{op, m})
		}
	}
	return out
}

func singles() []trial {
	var out []trial
	for _, w := range paths {
		for _, p := range w.points() {
			out = append(out, trial{w, []point{p}})
		}
	}
	return out
}

func pairs() []trial {
	var out []trial
	for _, w := range paths {
		points := w.points()
		for i, p := range points {
			for _, q := range points[i+1:] {
				out = append(out, trial{w, []point{p, q}})
			}
		}
	}
	return out
}

// pairsInTest: make test runs one in this many pairs.
const pairsInTest = 50

// sample keeps about one of n trials, always the same ones.
func sample(all []trial, n uint32) []trial {
	var out []trial
	for _, c := range all {
		h := fnv.New32a()
		_, _ = h.Write([]byte(c.String()))
		if h.Sum32()%n == 0 {
			out = append(out, c)
		}
	}
	return out
}

func TestEveryDisturbanceOfEveryStep(t *testing.T) {
	t.Parallel()
	runTrials(t, singles())
}

func TestPairsOfDisturbances(t *testing.T) {
	t.Parallel()
	runTrials(t, sample(pairs(), pairsSampled))
}

// stopAt is the environment variable with the invariant whose violation ends the run early. See TestEverySeededBug.
const stopAt = "MATRIX_STOP_AT"

// runTrials runs all trials, a few at a time, and reports each violation of an invariant.
func runTrials(t *testing.T, all []trial) {
	t.Helper()
	work, enough := make(chan trial), os.Getenv(stopAt)
	var stop atomic.Bool
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for c := range work {
				for _, v := range c.violations() {
					t.Errorf("%s: %s", c, v)
					if enough != "" && strings.Contains(v, enough) {
						stop.Store(true)
					}
				}
			}
		})
	}
	for _, c := range all {
		if !stop.Load() {
			work <- c
		}
	}
	close(work)
	workers.Wait()
	t.Logf("%d trials, %d invariants each", len(all), len(invariants))
}
