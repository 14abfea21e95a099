package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/workflows"
)

// world is everything outside the workflow: stateful fakes that pass the contracts of the real adapters and can be made to
// break. Like the real world it outlives a run of the workflow. It logs what happens.
type world struct {
	*ordertest.Memory // the orders
	catalog           *ordertest.MemoryCatalog
	payments          *ordertest.MemoryPayments

	mu     sync.Mutex
	env    *testsuite.TestWorkflowEnvironment // of the current run; its clock is the world's
	start  time.Time                          // of the workflow: that of its first run
	run    int                                // counts runs, from 0
	dead   bool                               // the worker of this run has died: it does and records nothing more
	events []order.Event
	alerts []order.Alert
	faults map[string][]fault // by operation; each call takes the first
	always map[string]error   // what an operation returns when no fault is due
	calls  map[string]int
	onCall func(op string)     // before each call takes effect
	plans  map[string][]func() // by operation: what happens when it is scheduled; each scheduling takes the first
	next   func()              // what happens between a lost run and the next

	// What the next run finds.
	asleep     bool          // itself cancelled
	pause      time.Duration // how much later
	recovering bool          // the workflow terminated: RecoverOrder runs
	late       []func()      // effects of calls that hang
	log        []entry
}

// fault is what one call does instead of working.
type fault struct {
	before error         // fails before it takes effect
	after  error         // takes effect, then the response is lost
	until  time.Duration // when set, it strikes every call until this long after the workflow's start
	late   bool          // no response, and the effect comes later: see land
	hook   func()        // before it takes effect
	done   func()        // after it took effect
}

const (
	lamp   = "lamp"
	chair  = "chair"
	inYen  = "yen-book"
	inGold = "gold-book"
	broke  = "pm_card_visa_chargeDeclined"
	visa   = "pm_card_visa"
	lampIn = 10 // units of the lamp at the start
)

func newWorld() *world {
	w := &world{faults: map[string][]fault{}, always: map[string]error{}, calls: map[string]int{}, plans: map[string][]func(){}}
	product := func(id string, stock int, amount int64, currency string) order.Line {
		return order.Line{ProductID: id, Name: id, Quantity: stock, Price: money.Money{Amount: amount, Currency: currency}}
	}
	w.Memory = ordertest.NewMemory(w.now)
	w.catalog = ordertest.NewMemoryCatalog(w.now, product(lamp, lampIn, 1299, "USD"), product(chair, 1, 4900, "USD"),
		product(inYen, 5, 800, "JPY"), product(inGold, 5, 1, "XAU"))
	w.payments = ordertest.NewMemoryPayments()
	return w
}

// attach makes env the current run.
func (w *world) attach(env *testsuite.TestWorkflowEnvironment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env = env
	if w.start.IsZero() {
		w.start = env.Now().UTC()
		w.log = append(w.log, entry{kind: began, at: w.start})
	}
}

func (w *world) now() time.Time {
	if w.env == nil {
		return time.Now()
	}
	return w.env.Now()
}

// activities returns those of the current run.
func (w *world) activities() *activities.Activities {
	h := hands{w, w.run}
	return &activities.Activities{Catalog: h, Payments: h, Orders: handsOnOrders{h}, Events: h, Alerts: h}
}

// breakNext makes f strike the next n calls of op.
func (w *world) breakNext(op string, n int, f fault) {
	for range n {
		w.faults[op] = append(w.faults[op], f)
	}
}

// call runs effect as one call of op, with the fault that is due. Effects run one after the other. The response to a call of
// an earlier run is lost.
func (w *world) call(run int, op string, effect func() error) error {
	if w.onCall != nil {
		w.onCall(op)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errBroken
	}
	if run != w.run {
		return errors.Join(w.take(run, op, effect), errBroken)
	}
	w.calls[op]++
	f := w.due(op)
	if f.hook != nil {
		f.hook()
	}
	switch {
	case f.late:
		w.late = append(w.late, func() { _ = w.take(run, op, effect) })
		return errBroken
	case f.before != nil:
		return f.before
	}
	if err := w.take(run, op, effect); err != nil {
		return err
	}
	if op == "CloseOrder" {
		w.land()
	}
	if f.done != nil {
		f.done()
	}
	return f.after
}

// due returns the fault that strikes this call of op.
func (w *world) due(op string) fault {
	for {
		queue := w.faults[op]
		switch {
		case len(queue) == 0:
			return fault{before: w.always[op]}
		case queue[0].until == 0:
			w.faults[op] = queue[1:]
			return queue[0]
		case w.now().Sub(w.start) < queue[0].until:
			return queue[0]
		}
		w.faults[op] = queue[1:]
	}
}

// take makes an effect happen, and logs it unless it is refused.
func (w *world) take(run int, op string, effect func() error) error {
	if err := effect(); err != nil {
		return err
	}
	w.log = append(w.log, entry{run: run, kind: tookEffect, op: op})
	return nil
}

// land makes hanging calls take effect. It is called with mu held.
func (w *world) land() {
	late := w.late
	w.late = nil
	for _, effect := range late {
		effect()
	}
}

// hands are the adapters with which one run of the workflow reaches the world.
type hands struct {
	w   *world
	run int
}

func (h hands) call(op string, effect func() error) error { return h.w.call(h.run, op, effect) }

// callFor is call for an effect with a result. When the call fails, the effect may still come at any time; its result is then
// lost.
func callFor[T any](h hands, op string, effect func() (T, error)) (T, error) {
	var got, none T
	if err := h.call(op, func() (err error) { got, err = effect(); return err }); err != nil {
		return none, err
	}
	return got, nil
}

func (h hands) PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error) {
	return callFor(h, "PriceItems", func() ([]order.Line, error) { return h.w.catalog.PriceItems(ctx, items) })
}

func (h hands) Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error {
	return h.call("ReserveStock", func() error {
		if expiresAt.Before(h.w.start.Add(workflows.PivotTimeout)) {
			return fmt.Errorf("a hold until %s does not outlive the order's deadline", expiresAt)
		}
		return h.w.catalog.Reserve(ctx, id, items, expiresAt)
	})
}

func (h hands) Commit(ctx context.Context, id order.ID) error {
	return h.call("CommitStock", func() error { return h.w.catalog.Commit(ctx, id) })
}

func (h hands) Release(ctx context.Context, id order.ID) error {
	return h.call("ReleaseStock", func() error { return h.w.catalog.Release(ctx, id) })
}

func (h hands) Chargeable(total money.Money) error {
	if total.Currency == "XAU" {
		return order.Refuse(order.InvalidAmount, "orders cannot be paid in gold")
	}
	return nil
}

func (h hands) Charge(ctx context.Context, p order.Payment) (string, error) {
	return callFor(h, "ChargePayment", func() (string, error) {
		h.w.log = append(h.w.log, entry{run: h.run, kind: asked, op: "ChargePayment", payment: p})
		return h.w.payments.Charge(ctx, p)
	})
}

func (h hands) Refund(ctx context.Context, p order.Payment) error {
	return h.call("RefundPayment", func() error {
		h.w.log = append(h.w.log, entry{run: h.run, kind: asked, op: "RefundPayment", payment: p})
		return h.w.payments.Refund(ctx, p)
	})
}

func (h hands) Publish(_ context.Context, e order.Event) error {
	return h.call("PublishEvent", func() error {
		h.w.events = append(h.w.events, e)
		return nil
	})
}

func (h hands) SendAlert(_ context.Context, a order.Alert) error {
	return h.call("SendAlert", func() error {
		h.w.alerts = append(h.w.alerts, a)
		return nil
	})
}

// handsOnOrders are the hands that reach the orders.
type handsOnOrders struct{ hands }

func (b handsOnOrders) Create(ctx context.Context, o order.Order) (order.Order, error) {
	return callFor(b.hands, "CreateOrder", func() (order.Order, error) { return b.w.Memory.Create(ctx, o) })
}

// learn writes down what a client learns: the API responds as soon as the row tells how the order ends, whatever the
// workflow does next.
func (b handsOnOrders) learn(row order.Order, err error) (order.Order, error) {
	if err == nil && row.Decided() {
		b.w.log = append(b.w.log, entry{run: b.run, kind: told, cause: causeOf(row.Cause)})
	}
	return row, err
}

func (b handsOnOrders) Confirm(
	ctx context.Context, id order.ID, paymentID string, entries []order.Entry,
) (order.Order, error) {
	return callFor(b.hands, "ConfirmOrder", func() (order.Order, error) {
		return b.learn(b.w.Memory.Confirm(ctx, id, paymentID, entries))
	})
}

func (b handsOnOrders) Close(
	ctx context.Context, req order.Request, cause order.Cause, entries []order.Entry,
) (order.Order, error) {
	return callFor(b.hands, "CloseOrder", func() (order.Order, error) {
		b.w.log = append(b.w.log, entry{run: b.run, kind: asked, op: "CloseOrder", cause: cause, at: b.w.now()})
		return b.learn(b.w.Memory.Close(ctx, req, cause, entries))
	})
}

func (b handsOnOrders) Finish(ctx context.Context, id order.ID, entries []order.Entry) (order.Order, error) {
	return callFor(b.hands, "FinishOrder", func() (order.Order, error) { return b.w.Memory.Finish(ctx, id, entries) })
}

func (b handsOnOrders) AppendTimeline(ctx context.Context, id order.ID, key string, r order.Entry) error {
	return b.call("AppendTimeline", func() error { return b.w.Memory.AppendTimeline(ctx, id, key, r) })
}

var errBroken = errors.New("connection reset")

// check verifies every invariant of a finished order.
func (w *world) check(t *testing.T, id order.ID) order.Order {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.land()
	row, err := w.Memory.Order(context.Background(), id)
	if err != nil {
		t.Fatalf("the order's row: %v", err)
	}
	for _, v := range w.violations(id) {
		t.Error(v)
	}
	return row
}
