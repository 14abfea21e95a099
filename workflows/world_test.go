package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ordersaga/activities"
	"ordersaga/internal/money"
	"ordersaga/internal/order"
	"ordersaga/internal/order/ordertest"
	"ordersaga/workflows"
)

// world is everything outside of the workflow: stateful fakes that behave as the activities' contracts say, and that
// can be told to break.
type world struct {
	*ordertest.Memory // the orders

	mu       sync.Mutex
	prices   map[string]money.Money
	stock    map[string]int // available units
	holds    map[order.ID]*hold
	payments map[order.ID]*payment
	events   []order.Event
	alarms   []order.Attention
	faults   map[string][]fault // by operation; each call takes the first
	calls    map[string]int
	onCall   func(op string) // before each call takes effect
}

type hold struct {
	state string // held, sold, released
	items []order.Item
}

type payment struct {
	captured, refunded int64
	cancelled          bool
}

// fault is what one call does instead of working.
type fault struct {
	before error // fails before it takes effect
	after  error // takes effect, then the answer is lost
}

const (
	lamp   = "lamp"
	chair  = "chair"
	inYen  = "yen-book"
	inGold = "gold-book"
	broke  = "pm_card_chargeDeclined"
	visa   = "pm_card_visa"
	lampIn = 10 // units of the lamp at the beginning
)

func newWorld() *world {
	return &world{
		Memory: ordertest.NewMemory(time.Now),
		prices: map[string]money.Money{
			lamp: {Amount: 1299, Currency: "USD"}, chair: {Amount: 4900, Currency: "USD"}, inYen: {Amount: 800, Currency: "JPY"},
			inGold: {Amount: 1, Currency: "XAU"},
		},
		stock:    map[string]int{lamp: lampIn, chair: 1, inYen: 5},
		holds:    map[order.ID]*hold{},
		payments: map[order.ID]*payment{},
		faults:   map[string][]fault{},
		calls:    map[string]int{},
	}
}

func (w *world) activities() *activities.Activities {
	return &activities.Activities{Catalog: w, Payments: w, Orders: brokenOrders{w}, Events: w, Alarms: w}
}

// breakNext makes the next n calls of op fail in the way of f.
func (w *world) breakNext(op string, n int, f fault) {
	for range n {
		w.faults[op] = append(w.faults[op], f)
	}
}

// call runs effect as one call of op, with whatever fault is due.
func (w *world) call(op string, effect func() error) error {
	if w.onCall != nil {
		w.onCall(op)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[op]++
	var f fault
	if queue := w.faults[op]; len(queue) > 0 {
		f, w.faults[op] = queue[0], queue[1:]
	}
	if f.before != nil {
		return f.before
	}
	if err := effect(); err != nil {
		return err
	}
	return f.after
}

func (w *world) PriceItems(_ context.Context, items []order.Item) (lines []order.Line, err error) {
	err = w.call("PriceItems", func() error {
		for _, it := range items {
			price, ok := w.prices[it.ProductID]
			if !ok {
				return &order.Refusal{Cause: order.Cause{Reason: order.ProductNotFound, ProductIDs: []string{it.ProductID}}}
			}
			lines = append(lines, order.Line{ProductID: it.ProductID, Name: it.ProductID, Quantity: it.Quantity, Price: price})
		}
		return nil
	})
	return lines, err
}

func (w *world) Reserve(_ context.Context, id order.ID, items []order.Item, expiresAt time.Time) error {
	return w.call("ReserveStock", func() error {
		if left := time.Until(expiresAt); left <= workflows.Deadline-time.Minute {
			return fmt.Errorf("a hold of %s does not outlive the order's deadline", left)
		}
		if h := w.holds[id]; h != nil {
			if h.state == "released" {
				return order.Refuse(order.ReservationLost, "released")
			}
			return nil
		}
		for _, it := range items {
			if w.stock[it.ProductID] < it.Quantity {
				return &order.Refusal{Cause: order.Cause{Reason: order.OutOfStock, Shortages: []order.Shortage{
					{ProductID: it.ProductID, Requested: int64(it.Quantity), Available: int64(w.stock[it.ProductID])}}}}
			}
		}
		for _, it := range items {
			w.stock[it.ProductID] -= it.Quantity
		}
		w.holds[id] = &hold{state: "held", items: items}
		return nil
	})
}

func (w *world) Commit(_ context.Context, id order.ID) error {
	return w.call("CommitStock", func() error {
		h := w.holds[id]
		if h == nil || h.state == "released" {
			return order.Refuse(order.ReservationLost, "not held")
		}
		h.state = "sold"
		return nil
	})
}

func (w *world) Release(_ context.Context, id order.ID) error {
	return w.call("ReleaseStock", func() error {
		h := w.holds[id]
		if h == nil {
			h = &hold{}
			w.holds[id] = h
		}
		if h.state != "released" {
			for _, it := range h.items {
				w.stock[it.ProductID] += it.Quantity
			}
		}
		h.state = "released"
		return nil
	})
}

func (w *world) Chargeable(total money.Money) error {
	if total.Currency == "XAU" {
		return order.Refuse(order.InvalidAmount, "orders cannot be paid in gold")
	}
	return nil
}

func (w *world) Charge(_ context.Context, p order.Payment) (string, error) {
	err := w.call("ChargePayment", func() error {
		known := w.payments[p.OrderID]
		if known == nil {
			known = &payment{}
			w.payments[p.OrderID] = known
		}
		switch {
		case known.cancelled:
			return order.Refuse(order.PaymentDeclined, "the payment was cancelled")
		case p.Method == broke:
			return &order.Refusal{Cause: order.Cause{Reason: order.PaymentDeclined, DeclineCode: "generic_decline"}}
		}
		known.captured = p.Amount.Amount
		return nil
	})
	return "pi_" + string(p.OrderID), err
}

func (w *world) Refund(_ context.Context, p order.Payment) error {
	return w.call("RefundPayment", func() error {
		if p.Amount.Amount <= 0 {
			return fmt.Errorf("no payment of %s can be undone", p.Amount) // as the adapter answers
		}
		known := w.payments[p.OrderID]
		if known == nil {
			known = &payment{}
			w.payments[p.OrderID] = known
		}
		known.cancelled, known.refunded = true, known.captured
		return nil
	})
}

func (w *world) Publish(_ context.Context, e order.Event) error {
	return w.call("PublishEvent", func() error {
		w.events = append(w.events, e)
		return nil
	})
}

func (w *world) RaiseAlarm(_ context.Context, a order.Attention) error {
	return w.call("RaiseAlarm", func() error {
		w.alarms = append(w.alarms, a)
		return nil
	})
}

// brokenOrders adds faults to the orders.
type brokenOrders struct{ w *world }

func (b brokenOrders) Create(ctx context.Context, o order.Order) (row order.Order, err error) {
	err = b.w.call("CreateOrder", func() error { row, err = b.w.Memory.Create(ctx, o); return err })
	return row, err
}

func (b brokenOrders) Confirm(
	ctx context.Context, id order.ID, paymentID string, records []order.Record,
) (row order.Order, err error) {
	err = b.w.call("ConfirmOrder", func() error {
		row, err = b.w.Memory.Confirm(ctx, id, paymentID, records)
		return err
	})
	return row, err
}

func (b brokenOrders) Close(
	ctx context.Context, req order.Request, cause order.Cause, records []order.Record,
) (row order.Order, err error) {
	err = b.w.call("CloseOrder", func() error { row, err = b.w.Memory.Close(ctx, req, cause, records); return err })
	return row, err
}

func (b brokenOrders) Finish(ctx context.Context, id order.ID, records []order.Record) (row order.Order, err error) {
	err = b.w.call("FinishOrder", func() error { row, err = b.w.Memory.Finish(ctx, id, records); return err })
	return row, err
}

func (b brokenOrders) Note(ctx context.Context, id order.ID, key string, r order.Record) error {
	return b.w.call("NoteRecords", func() error { return b.w.Memory.Note(ctx, id, key, r) })
}

var errBroken = errors.New("connection reset")

// check verifies every promise about a finished order: stock, money, events and row agree.
func (w *world) check(t *testing.T, id order.ID) order.Order {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	row, err := w.Memory.Order(context.Background(), id)
	if err != nil {
		t.Fatalf("the order's row: %v", err)
	}
	if !row.Status.Final() {
		t.Errorf("the order ended as %s", row.Status)
	}
	confirmed := row.Status == order.Confirmed
	w.checkStock(t, id, confirmed)
	w.checkMoney(t, row, confirmed)
	w.checkEvents(t, row)
	return row
}

func (w *world) checkStock(t *testing.T, id order.ID, confirmed bool) {
	t.Helper()
	total := w.stock[lamp]
	for _, h := range w.holds {
		for _, it := range h.items {
			if h.state != "released" && it.ProductID == lamp {
				total += it.Quantity
			}
		}
	}
	if total != lampIn {
		t.Errorf("%d lamps in stock, held and sold; there were %d", total, lampIn)
	}
	h := w.holds[id]
	switch {
	case confirmed && (h == nil || h.state != "sold"):
		t.Errorf("CONFIRMED, but the stock is not sold: %+v", h)
	case !confirmed && (h == nil || h.state != "released"):
		t.Errorf("not CONFIRMED, but no release is remembered: %+v", h)
	}
}

func (w *world) checkMoney(t *testing.T, row order.Order, confirmed bool) {
	t.Helper()
	p, want := w.payments[row.ID], int64(0)
	if confirmed {
		want = row.Total.Amount
	}
	if p == nil {
		p = &payment{}
	}
	if got := p.captured - p.refunded; got != want {
		t.Errorf("%s, but the gateway keeps %d, want %d", row.Status, got, want)
	}
	if !confirmed && !row.Total.IsZero() && !p.cancelled {
		t.Error("not CONFIRMED, but a late charge would still be taken")
	}
}

func (w *world) checkEvents(t *testing.T, row order.Order) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range w.events {
		if e.OrderID == row.ID {
			seen[fmt.Sprintf("%s %s %s", e.Type, e.Status, e.Reason)] = true
		}
	}
	want := order.NewEvent(row)
	if key := fmt.Sprintf("%s %s %s", want.Type, want.Status, want.Reason); len(seen) != 1 || !seen[key] {
		t.Errorf("events %v, want only %q", seen, key)
	}
}
