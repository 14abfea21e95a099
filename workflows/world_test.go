package workflows_test

import (
	"context"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

// world is everything outside the workflow: stateful fakes that pass the contracts of the real adapters.
type world struct {
	orders   *ordertest.Memory
	catalog  *ordertest.MemoryCatalog
	payments *ordertest.MemoryPayments
	clock    func() time.Time

	mu     sync.Mutex
	events []order.Event
	alerts []order.Alert
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
	w := &world{clock: time.Now}
	now := func() time.Time { return w.clock() }
	product := func(id string, stock int, amount int64, currency string) order.Line {
		return order.Line{ProductID: id, Name: id, Quantity: stock, Price: money.Money{Amount: amount, Currency: currency}}
	}
	w.orders = ordertest.NewMemory(now)
	w.catalog = ordertest.NewMemoryCatalog(now, product(lamp, lampIn, 1299, "USD"), product(chair, 1, 4900, "USD"),
		product(inYen, 5, 800, "JPY"), product(inGold, 5, 1, "XAU"))
	w.payments = ordertest.NewMemoryPayments()
	return w
}

func (w *world) activities() *activities.Activities {
	return &activities.Activities{Catalog: w.catalog, Payments: noGold{w.payments}, Orders: w.orders, Events: w, Alerts: w}
}

// noGold is a gateway that takes no gold.
type noGold struct{ *ordertest.MemoryPayments }

func (noGold) Chargeable(total money.Money) error {
	if total.Currency == "XAU" {
		return order.Refuse(order.InvalidAmount, "orders cannot be paid in gold")
	}
	return nil
}

// Publish implements activities.Events.
func (w *world) Publish(_ context.Context, e order.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// SendAlert implements activities.Alerts.
func (w *world) SendAlert(_ context.Context, a order.Alert) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts = append(w.alerts, a)
	return nil
}

// seen is the world as the explorer sees it, with what becomes of an order.
func (w *world) seen(a *activities.Activities, id order.ID) sagatest.World {
	return sagatest.World{
		Activities: []any{a},
		Clock:      func(now func() time.Time) { w.clock = now },
		InEffect: func() any {
			row, _ := w.orders.Order(context.Background(), id)
			return effect{w.catalog.State(id) == ordertest.Sold, w.payments.Till(id).Kept > 0, row.Status == order.Confirmed}
		},
		Invariants: w.invariants(id),
		Changes: []sagatest.Change{
			{Name: "hold expired", About: "its hold has expired", Later: workflows.PivotTimeout + workflows.HoldMargin + time.Minute},
			{Name: "product gone", About: "the product is gone", Make: func() { w.catalog.Remove(lamp) }},
			{Name: "price changed", About: "the price is another one", Make: func() {
				w.catalog.SetPrice(lamp, money.Money{Amount: 9999, Currency: "USD"})
			}},
		},
	}
}

// effect is what an order brings about.
type effect struct{ sold, paid, confirmed bool }
