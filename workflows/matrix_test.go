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

// The matrix: on each of the two ways through the saga, every step is disturbed in every manner, alone and together with
// every other disturbance on that way. Whatever happens, every invariant holds at the end.

// forwardSteps are the steps up to and with the pivot; undoSteps what may run after the fence; in the order in which
// an undisturbed and a declined order call them.
var (
	forwardSteps = []string{"PriceItems", "CreateOrder", "ReserveStock", "ChargePayment", "CommitStock", "ConfirmOrder"}
	undoSteps    = []string{"CloseOrder", "RefundPayment", "ReleaseStock", "FinishOrder", "PublishEvent"}
)

// way is a way through the saga: what stands against the order, and the operations that are called.
type way struct {
	name    string
	prepare func(*world)
	steps   []string
}

var matrixWays = []way{
	{"to its pivot", func(*world) {}, append(slices.Clone(forwardSteps), "PublishEvent")},
	{"undone", func(w *world) { w.always["CommitStock"] = order.Refuse(order.ReservationLost, "expired") },
		append(slices.Clone(forwardSteps[:5]), undoSteps...)},
}

// manner is a way to disturb an operation.
type manner struct {
	name   string
	strike func(w *world, op string)
}

func manners() []manner {
	late := workflows.PivotTimeout + time.Minute
	all := []manner{
		{"refused", refuse},
		{"broken, then well", func(w *world, op string) { w.breakNext(op, 3, fault{before: errBroken}) }},
		{"broken until it needs attention", func(w *world, op string) { w.breakNext(op, 1, fault{before: errBroken, until: 12 * time.Minute}) }},
		{"broken past the deadline", func(w *world, op string) { w.breakNext(op, 1, fault{before: errBroken, until: late}) }},
		{"done, answer lost", func(w *world, op string) { w.breakNext(op, 1, fault{after: errBroken}) }},
		{"done, answers lost past the deadline", func(w *world, op string) { w.breakNext(op, 1, fault{after: errBroken, until: late}) }},
		{"hangs, and is done behind the fence", func(w *world, op string) { w.breakNext(op, 1, fault{late: true}) }},
		{"hangs, cancelled meanwhile, and is done behind the fence", func(w *world, op string) { w.breakNext(op, 1, fault{late: true, hook: w.cancel}) }},
		{"cancelled before", func(w *world, op string) { w.plans[op] = append(w.plans[op], w.cancel) }},
		{"cancelled inside", func(w *world, op string) { w.breakNext(op, 1, fault{hook: w.cancel}) }},
		{"cancelled after", func(w *world, op string) { w.breakNext(op, 1, fault{done: w.cancel}) }},
	}
	for _, l := range losses {
		all = append(all, manner{"task lost after, then " + l.name, func(w *world, op string) {
			w.breakNext(op, 1, fault{done: func() { w.die(func() { l.change(w) }) }})
		}})
	}
	return all
}

// losses are the worlds that a workflow may find when it runs again after its task was lost.
var losses = []struct {
	name   string
	change func(*world)
}{
	{"unchanged", func(*world) {}},
	{"cancelled", func(w *world) { w.asleep = true }},
	{"past its deadline", func(w *world) { w.pause = workflows.PivotTimeout + time.Minute }},
	{"past the expiry of its hold", func(w *world) { w.pause = workflows.PivotTimeout + workflows.HoldMargin + time.Minute }},
	{"without the product", func(w *world) { w.catalog.Remove(lamp) }},
	{"at another price", func(w *world) { w.catalog.SetPrice(lamp, money.Money{Amount: 9999, Currency: "USD"}) }},
	{"terminated and recovered", func(w *world) { w.recovering = true }},
}

// refuse makes op say a final no once; what may not be refused, twice.
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

// point is one disturbance on a way.
type point struct {
	op     string
	manner manner
}

func (p point) String() string { return p.op + " " + p.manner.name }

// trial is a cell of the matrix, or a pair of cells.
type trial struct {
	way    way
	points []point
}

func (c trial) String() string {
	names := make([]string, len(c.points))
	for i, p := range c.points {
		names[i] = p.String()
	}
	return c.way.name + ": " + strings.Join(names, "; ")
}

// violations runs the trial, and returns what is broken.
func (c trial) violations() []string {
	w := newWorld()
	for _, p := range c.points {
		p.manner.strike(w, p.op)
	}
	c.way.prepare(w)
	return w.live(request(visa))
}

func (w way) points() []point {
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
	for _, w := range matrixWays {
		for _, p := range w.points() {
			out = append(out, trial{w, []point{p}})
		}
	}
	return out
}

func pairs() []trial {
	var out []trial
	for _, w := range matrixWays {
		points := w.points()
		for i, p := range points {
			for _, q := range points[i+1:] {
				out = append(out, trial{w, []point{p, q}})
			}
		}
	}
	return out
}

// pairsInTest: make test tries one of so many pairs.
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

// stopAt names a variable: once the invariant that it holds is broken, that is enough. See TestEverySeededBug.
const stopAt = "MATRIX_STOP_AT"

// runTrials runs all trials, a few at a time, and reports each that breaks an invariant.
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
