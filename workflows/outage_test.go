package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

// runOver is run with activities over changed systems.
func runOver(t *testing.T, w *world, req order.Request, change func(*activities.Activities)) order.Order {
	t.Helper()
	s := placing(req)
	s.World = func() sagatest.World {
		a := w.activities()
		change(a)
		return w.seen(a, req.ID)
	}
	row, _ := runSaga(t, s, w, req.ID)
	return row
}

// downCatalog does not price anything until up says so.
type downCatalog struct {
	*ordertest.MemoryCatalog
	up func(attempt int) bool

	attempts int
}

func (c *downCatalog) PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error) {
	if c.attempts++; !c.up(c.attempts) {
		return nil, errBroken
	}
	return c.MemoryCatalog.PriceItems(ctx, items)
}

func TestAnOrderThatNobodyCanPriceYetIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	req := request(visa)
	req.CreatedAt = time.Date(2026, 11, 1, 12, 0, 0, 123456000, time.UTC)
	var listed []order.Order
	got := runOver(t, w, req, func(a *activities.Activities) {
		a.Catalog = &downCatalog{MemoryCatalog: w.catalog, up: func(attempt int) bool {
			if attempt == 2 {
				listed, _, _ = w.orders.Orders(t.Context(), order.Query{UserID: req.UserID})
			}
			return attempt > 3
		}}
	})
	wantEnd(t, got, order.Confirmed, "")
	if len(listed) != 1 || listed[0].Status != order.Pending || listed[0].Priced() {
		t.Fatalf("at the second attempt the list has %+v", listed)
	}
	for _, row := range []order.Order{listed[0], got} {
		if !row.CreatedAt.Equal(req.CreatedAt) {
			t.Errorf("a row that is %s was created at %s, want %s", row.Status, row.CreatedAt, req.CreatedAt)
		}
	}
	if want := (money.Money{Amount: 2598, Currency: "USD"}); got.Total != want {
		t.Errorf("total %v, want %v", got.Total, want)
	}
}

func TestAnOrderThatNobodyCouldPriceInTimeEndsWithoutPrices(t *testing.T) {
	t.Parallel()
	w := newWorld()
	got := runOver(t, w, request(visa), func(a *activities.Activities) {
		a.Catalog = &downCatalog{MemoryCatalog: w.catalog, up: func(int) bool { return false }}
	})
	wantEnd(t, got, order.Failed, order.TimedOut)
	if got.Priced() {
		t.Errorf("total %v", got.Total)
	}
}

// An earlier run, which this one does not remember, has priced the order. Its prices stay, and the catalog is not needed.
func TestAnOrderThatIsPricedNeedsNoPrices(t *testing.T) {
	t.Parallel()
	w := newWorld()
	req := request(visa)
	first := order.Order{ID: req.ID, UserID: req.UserID, PaymentMethod: visa, Hash: req.Hash,
		Items: []order.Line{{ProductID: lamp, Name: lamp, Quantity: 2, Price: money.Money{Amount: 999, Currency: "USD"}}},
		Total: money.Money{Amount: 1998, Currency: "USD"}}
	if _, err := w.orders.Create(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	got := runOver(t, w, req, func(a *activities.Activities) {
		a.Catalog = &downCatalog{MemoryCatalog: w.catalog, up: func(int) bool { return false }}
	})
	wantEnd(t, got, order.Confirmed, "")
	if got.Total != first.Total {
		t.Errorf("total %v, want %v", got.Total, first.Total)
	}
}

// empty is an answer that a system gives n times: success, and nothing else. Nothing has happened.
type empty struct{ left int }

func (e *empty) is() bool {
	e.left--
	return e.left >= 0
}

type emptyPayments struct {
	activities.Payments
	*empty
}

func (p emptyPayments) Charge(ctx context.Context, pay order.Payment) (string, error) {
	if p.is() {
		return "", nil
	}
	return p.Payments.Charge(ctx, pay)
}

// emptyOrders answers the transitions that it has an empty for.
type emptyOrders struct {
	activities.Orders
	create, confirm, closing, finish empty
}

func (o *emptyOrders) Create(ctx context.Context, row order.Order) (order.Order, error) {
	if o.create.is() {
		return order.Order{}, nil
	}
	return o.Orders.Create(ctx, row)
}

func (o *emptyOrders) Confirm(ctx context.Context, id order.ID, paymentID string, e []order.Entry) (order.Order, error) {
	if o.confirm.is() {
		return order.Order{}, nil
	}
	return o.Orders.Confirm(ctx, id, paymentID, e)
}

func (o *emptyOrders) Close(ctx context.Context, r order.Request, c order.Cause, e []order.Entry) (order.Order, error) {
	if o.closing.is() {
		return order.Order{}, nil
	}
	return o.Orders.Close(ctx, r, c, e)
}

func (o *emptyOrders) Finish(ctx context.Context, id order.ID, e []order.Entry) (order.Order, error) {
	if o.finish.is() {
		return order.Order{}, nil
	}
	return o.Orders.Finish(ctx, id, e)
}

// `temporal activity complete` with {} says that a step has happened. It has not, and runs again.
func TestAStepWithAnEmptyResultRunsAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*emptyOrders, *emptyPayments){
		"CreateOrder":   func(o *emptyOrders, _ *emptyPayments) { o.create.left = 2 },
		"ChargePayment": func(_ *emptyOrders, p *emptyPayments) { p.left = 2 },
		"ConfirmOrder":  func(o *emptyOrders, _ *emptyPayments) { o.confirm.left = 2 },
		"CloseOrder":    func(o *emptyOrders, _ *emptyPayments) { o.closing.left = 2 },
		"FinishOrder":   func(o *emptyOrders, _ *emptyPayments) { o.finish.left = 2 },
	} {
		for method, status := range map[string]order.Status{visa: order.Confirmed, broke: order.Failed} {
			t.Run(name+" of an order that is "+string(status), func(t *testing.T) {
				t.Parallel()
				got := runOver(t, newWorld(), request(method), func(a *activities.Activities) {
					orders, payments := &emptyOrders{Orders: a.Orders}, emptyPayments{a.Payments, &empty{}}
					change(orders, &payments)
					a.Orders, a.Payments = orders, payments
				})
				if got.Status != status {
					t.Errorf("it ended %s %s", got.Status, got.Reason())
				}
			})
		}
	}
}

// The database has lost what the workflow wrote, so the row is PENDING again. What the customer was told must stay true.
func TestASagaThatRunsAgainEndsAsItDidBefore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(*world, order.Payment) []error
		status order.Status
		reason order.Reason
	}{
		"it was confirmed": {func(w *world, p order.Payment) []error {
			_, err := w.payments.Charge(t.Context(), p)
			return []error{err, w.catalog.Commit(t.Context(), p.OrderID)}
		}, order.Confirmed, ""},
		"it was undone": {func(w *world, p order.Payment) []error {
			return []error{w.payments.Refund(t.Context(), p), w.catalog.Release(t.Context(), p.OrderID)}
		}, order.Failed, order.ReservationLost},
		"it had only been stored": {func(*world, order.Payment) []error { return nil }, order.Confirmed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			req := request(visa)
			lines, err := w.catalog.PriceItems(t.Context(), req.Items)
			if err != nil {
				t.Fatal(err)
			}
			total, _ := order.Total(lines)
			row, err := w.orders.Create(t.Context(), order.Order{
				ID: req.ID, UserID: req.UserID, Items: lines, Total: total, PaymentMethod: visa, Hash: req.Hash,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.catalog.Reserve(t.Context(), req.ID, req.Items, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			for _, err := range test.before(w, row.Payment()) {
				if err != nil {
					t.Fatal(err)
				}
			}
			s := placing(req)
			s.Workflow, s.ID, s.Args = workflows.RerunOrder, req.ID.RecoveryID(), []any{row.Request()}
			s.World = func() sagatest.World { return w.seen(w.activities(), req.ID) }
			got, _ := runSaga(t, s, w, req.ID)
			wantEnd(t, got, test.status, test.reason)
		})
	}
}
