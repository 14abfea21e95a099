package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// store is a store of orders: the adapter, and the fake for tests of what is above it.
type store interface {
	Create(ctx context.Context, o order.Order) (order.Order, error)
	Confirm(ctx context.Context, id order.ID, paymentID string, entries []order.Entry) (order.Order, error)
	Close(ctx context.Context, req order.Request, cause order.Cause, entries []order.Entry) (order.Order, error)
	Finish(ctx context.Context, id order.ID, entries []order.Entry) (order.Order, error)

	Order(ctx context.Context, id order.ID) (order.Order, error)
	Orders(ctx context.Context, q order.Query) ([]order.Order, string, error)
	Unfinished(ctx context.Context, minAge time.Duration, cursor string, limit int) ([]order.Order, string, error)
	Timeline(ctx context.Context, id order.ID) ([]order.Entry, error)
	Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error)
	Decided(ctx context.Context, ids []order.ID) ([]order.Order, error)
	AppendTimeline(ctx context.Context, id order.ID, key string, e order.Entry) error
}

type test func(*testing.T, store)

// ofOneOrder are tests that look only at orders of their own, so they can share a store.
var ofOneOrder = map[string]test{
	"a created order is pending, with its lines at the prices of the time": created,
	"creating twice keeps the first prices":                                createdTwice,
	"an order whose lines do not add up to its total is not created":       notCreated,
	"an order without prices is priced once":                               pricedOnce,
	"an order that closes without prices stays without":                    closedUnpriced,
	"pricing, closing and confirming race: lines and total fit":            pricingRaces,
	"an order has the time at which it was placed":                         placedAt,
	"confirm makes a pending order confirmed":                              confirmed,
	"close marks a pending order, finish ends it as the cause says":        closedAndFinished,
	"close without a row inserts one that refuses a late create":           closedBeforeCreated,
	"the first cause stays":                                                firstCauseStays,
	"a closing order cannot be confirmed":                                  closingIsNotConfirmed,
	"a confirmed order neither closes nor is undone":                       confirmedStays,
	"an order that is not closing is not finished":                         notClosingIsNotFinished,
	"a final order never changes":                                          endedStays,
	"an unknown order is not found":                                        unknown,
	"an order with texts that a database cannot hold still closes":         unstorableTexts,
	"confirm and close race: one wins, and every caller gets the same row": confirmAndCloseRace,
	"create and close race: one row, one history":                          createAndCloseRace,
	"a cursor that the store did not hand out is an error":                 foreignCursors,
	"the orders that a store returns are copies":                           resultsAreCopies,
	"an entry is appended once under its key, also to a final order":       appended,
	"changes returns what was added once, with the order as it is":         changes,
	"a follower of a timeline misses nothing that others add meanwhile":    nothingIsMissed,
	"of many orders, those whose end is known are returned, and no others": decided,
}

// ofAllOrders are tests that look at lists, so each has its own store.
var ofAllOrders = map[string]test{
	"lists page newest first, filtered, without gaps or repetitions":   lists,
	"unfinished orders are PENDING and of a minimum age, oldest first": unfinished,
	"many orders at once do not disturb each other":                    manyAtOnce,
}

func TestOrdersKeepTheContract(t *testing.T) {
	t.Parallel()
	contract(t, func(t *testing.T) store { return postgres.NewOrders(migrated(t)) })
}

// The ways of sending statements that the driver has besides its default. Poolers need one that prepares nothing.
func TestOrdersKeepTheContractHoweverStatementsAreSent(t *testing.T) {
	t.Parallel()
	for _, mode := range servicestest.OtherExecModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			contract(t, func(t *testing.T) store { return postgres.NewOrders(migratedIn(t, mode)) })
		})
	}
}

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	contract(t, func(*testing.T) store { return ordertest.NewMemory(time.Now) })
}

// contract runs the suite over the stores that open returns. Each is new and empty, and lasts until the end of its t.
func contract(t *testing.T, open func(t *testing.T) store) {
	shared := open(t)
	for name, test := range ofOneOrder {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, shared)
		})
	}
	for name, test := range ofAllOrders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// ignoreTimes compares orders and entries without the times at which they were stored.
var ignoreTimes = cmp.Options{
	cmpopts.IgnoreFields(order.Order{}, "CreatedAt", "UpdatedAt"),
	cmpopts.IgnoreFields(order.Entry{}, "At"),
	cmpopts.EquateEmpty(),
}

var (
	declined = order.Cause{
		Reason: order.PaymentDeclined, Message: "the card was declined", DeclineCode: "generic_decline",
	}
	outOfStock = order.Cause{
		Reason: order.OutOfStock, Message: "not enough in stock",
		Shortages: []order.Shortage{{ProductID: "mug", Requested: 2, Available: 1}},
	}
	cancelled = order.Cause{Reason: order.CancelledByUser, Message: "cancelled"}
)

// step is an entry that a saga stores with a transition.
func step(name string) order.Entry {
	return order.Entry{
		Type: order.EntryStepDone, At: time.Date(2026, 11, 1, 12, 0, 0, 123456000, time.UTC), Step: name,
		Detail: "why not",
	}
}

func created(t *testing.T, s store) {
	o := ordertest.NewOrder(1)
	before := time.Now()
	got := must(s.Create(t.Context(), o))(t)
	want := o
	want.Status, want.Version = order.Pending, 1
	equal(t, "the result", want, got)
	if age := got.CreatedAt.Sub(before); age < -time.Minute || age > time.Minute || got.CreatedAt != got.UpdatedAt {
		t.Errorf("created at %v, updated at %v: want both now, %v", got.CreatedAt, got.UpdatedAt, before)
	}
	stays(t, s, got)
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated})
}

func createdTwice(t *testing.T, s store) {
	o := ordertest.NewOrder(1)
	first := must(s.Create(t.Context(), o))(t)
	dearer := o
	dearer.Items = slices.Clone(o.Items)
	dearer.Items[0].Price.Amount, dearer.Total.Amount = 1999, 4997
	second := must(s.Create(t.Context(), dearer))(t)
	same(t, "the second result", first, second)
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated})
}

// unpricedLike returns the order before anything is known about its products.
func unpricedLike(o order.Order) order.Order {
	o.Items, o.Total = order.Unpriced(order.Items(o.Items)), money.Money{}
	return o
}

func pricedOnce(t *testing.T, s store) {
	o := ordertest.NewOrder(31) // no other test has orders of this user
	first := must(s.Create(t.Context(), unpricedLike(o)))(t)
	want := unpricedLike(o)
	want.Status, want.Version = order.Pending, 1
	equal(t, "without prices", want, first)
	same(t, "again without prices", first, must(s.Create(t.Context(), unpricedLike(o)))(t))
	listed, _, err := s.Orders(t.Context(), order.Query{UserID: o.UserID, ProductID: "mug"})
	if err != nil || len(listed) != 1 {
		t.Errorf("the list has %+v (%v)", listed, err)
	}
	if _, err := s.Confirm(t.Context(), o.ID, "pi", nil); err == nil {
		t.Error("it was confirmed without prices")
	}

	priced := must(s.Create(t.Context(), o))(t)
	want = o
	want.Status, want.Version = order.Pending, 2
	equal(t, "with prices", want, priced)
	if !priced.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("created at %s, then at %s", first.CreatedAt, priced.CreatedAt)
	}
	dearer := o
	dearer.Items = slices.Clone(o.Items)
	dearer.Items[0].Price.Amount, dearer.Total.Amount = 1999, 4997
	same(t, "other prices", priced, must(s.Create(t.Context(), dearer))(t))
	same(t, "without prices, late", priced, must(s.Create(t.Context(), unpricedLike(o)))(t))
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated}, order.Entry{Type: order.EntryPriced})
	if got := must(s.Confirm(t.Context(), o.ID, "pi", nil))(t); got.Status != order.Confirmed {
		t.Errorf("with prices it is %s", got.Status)
	}
}

func closedUnpriced(t *testing.T, s store) {
	o := ordertest.NewOrder(1)
	must(s.Create(t.Context(), unpricedLike(o)))(t)
	closing := must(s.Close(t.Context(), o.Request(), outOfStock, nil))(t)
	same(t, "prices that come late", closing, must(s.Create(t.Context(), o))(t))
	failed := must(s.Finish(t.Context(), o.ID, nil))(t)
	if failed.Status != order.Failed || failed.Priced() {
		t.Errorf("it ended as %+v", failed)
	}
	same(t, "prices that come later", failed, must(s.Create(t.Context(), o))(t))
}

func pricingRaces(t *testing.T, s store) {
	for range 20 {
		o := ordertest.NewOrder(1)
		var racers sync.WaitGroup
		for _, race := range []func() (order.Order, error){
			func() (order.Order, error) { return s.Create(t.Context(), unpricedLike(o)) },
			func() (order.Order, error) { return s.Create(t.Context(), o) },
			func() (order.Order, error) { return s.Create(t.Context(), o) },
		} {
			racers.Go(func() {
				if row, err := race(); err != nil {
					t.Error(err)
				} else if err := row.CheckPrices(); err != nil {
					t.Error(err)
				}
			})
		}
		racers.Wait()
		row := must(s.Create(t.Context(), o))(t)
		if err := row.CheckTotal(); err != nil {
			t.Errorf("after the race: %v", err)
		}
		if row := must(s.Confirm(t.Context(), o.ID, "pi", nil))(t); row.Status != order.Confirmed {
			t.Errorf("after the race it is %s", row.Status)
		}
	}
}

// An order may be stored long after it was placed, and its time may be ahead of the store's clock.
func placedAt(t *testing.T, s store) {
	for _, ago := range []time.Duration{10 * time.Minute, -10 * time.Second} {
		o := ordertest.NewOrder(1)
		o.CreatedAt = time.Now().Add(-ago).UTC().Truncate(order.TimeResolution)
		created := must(s.Create(t.Context(), unpricedLike(o)))(t)
		closing := must(s.Close(t.Context(), o.Request(), cancelled, nil))(t)
		ended := must(s.Finish(t.Context(), o.ID, nil))(t)
		late := ordertest.NewOrder(1)
		late.CreatedAt = o.CreatedAt
		unknown := must(s.Close(t.Context(), late.Request(), cancelled, nil))(t)
		for i, row := range []order.Order{created, closing, ended, unknown} {
			if !row.CreatedAt.Equal(o.CreatedAt) || row.UpdatedAt.Before(row.CreatedAt) {
				t.Errorf("row %d was created at %s and updated at %s, want %s", i, row.CreatedAt, row.UpdatedAt, o.CreatedAt)
			}
		}
	}
}

func notCreated(t *testing.T, s store) {
	unpriced, wrong := ordertest.NewOrder(1), ordertest.NewOrder(1)
	unpriced.Items = order.Unpriced(order.Items(unpriced.Items))
	wrong.Total.Amount++
	for _, o := range []order.Order{unpriced, wrong} {
		if _, err := s.Create(t.Context(), o); err == nil {
			t.Errorf("created %+v", o)
		}
		notFound(t, s, o.ID)
	}
}

func confirmed(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	entries := []order.Entry{step("ReserveStock"), step("ChargePayment")}
	got := must(s.Confirm(t.Context(), o.ID, "pi_1", entries))(t)
	want := o
	want.Status, want.PaymentID, want.Version = order.Confirmed, "pi_1", 2
	equal(t, "the result", want, got)
	if got.UpdatedAt.Before(o.UpdatedAt) || got.CreatedAt != o.CreatedAt {
		t.Errorf("times: %+v, then %+v", o, got)
	}
	nameless := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	if _, err := s.Confirm(t.Context(), nameless.ID, "", nil); err == nil {
		t.Error("confirmed by a payment without an ID")
	}
	again := must(s.Confirm(t.Context(), o.ID, "pi_2", []order.Entry{step("Late")}))(t)
	same(t, "the result of a repetition", got, again)
	same(t, "the result of a late create", got, must(s.Create(t.Context(), o))(t))
	stays(t, s, got)
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated}, entries[0], entries[1],
		order.Entry{Type: order.EntryConfirmed})
}

func closedAndFinished(t *testing.T, s store) {
	for _, tc := range []struct {
		cause  order.Cause
		status order.Status
	}{{declined, order.Failed}, {outOfStock, order.Failed}, {cancelled, order.Cancelled}} {
		o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
		closing := must(s.Close(t.Context(), o.Request(), tc.cause, []order.Entry{step("ReserveStock")}))(t)
		want := o
		want.Closing, want.Cause, want.Version = true, &tc.cause, 2
		equal(t, "the result of close", want, closing)
		same(t, "close again", closing, must(s.Close(t.Context(), o.Request(), tc.cause, []order.Entry{step("Late")}))(t))

		ended := must(s.Finish(t.Context(), o.ID, []order.Entry{step("ReleaseStock")}))(t)
		want.Status, want.Version = tc.status, 3
		equal(t, "the result of finish", want, ended)
		same(t, "finish again", ended, must(s.Finish(t.Context(), o.ID, []order.Entry{step("Late")}))(t))
		stays(t, s, ended)
		timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated}, step("ReserveStock"),
			order.Entry{Type: order.EntryClosing}, step("ReleaseStock"),
			order.Entry{Type: order.EntryType(tc.status)})
	}
}

func closedBeforeCreated(t *testing.T, s store) {
	o := ordertest.NewOrder(7)
	closing := must(s.Close(t.Context(), o.Request(), outOfStock, []order.Entry{step("PriceItems")}))(t)
	want := order.Order{
		ID: o.ID, UserID: 7, Status: order.Pending, Closing: true, Items: order.Unpriced(order.Items(o.Items)),
		PaymentMethod: o.PaymentMethod, Hash: o.Hash, Cause: &outOfStock, Version: 1,
	}
	equal(t, "the result of close", want, closing)
	same(t, "the result of a late create", closing, must(s.Create(t.Context(), o))(t))
	same(t, "the result of a late confirm", closing, must(s.Confirm(t.Context(), o.ID, "pi_1", nil))(t))
	same(t, "close again", closing, must(s.Close(t.Context(), o.Request(), declined, nil))(t))
	ended := must(s.Finish(t.Context(), o.ID, nil))(t)
	want.Status, want.Version = order.Failed, 2
	equal(t, "the result of finish", want, ended)
	timeline(t, s, o.ID, step("PriceItems"), order.Entry{Type: order.EntryClosing},
		order.Entry{Type: order.EntryFailed})
}

func firstCauseStays(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	first := must(s.Close(t.Context(), o.Request(), cancelled, nil))(t)
	same(t, "close with another cause", first, must(s.Close(t.Context(), o.Request(), declined, nil))(t))
	ended := must(s.Finish(t.Context(), o.ID, nil))(t)
	if ended.Status != order.Cancelled || ended.Reason() != order.CancelledByUser {
		t.Errorf("ended as %s, %s", ended.Status, ended.Reason())
	}
}

func closingIsNotConfirmed(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	closing := must(s.Close(t.Context(), o.Request(), declined, nil))(t)
	same(t, "the result of confirm", closing, must(s.Confirm(t.Context(), o.ID, "pi_1", nil))(t))
	stays(t, s, closing)
}

func confirmedStays(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	won := must(s.Confirm(t.Context(), o.ID, "pi_1", nil))(t)
	same(t, "the result of close", won, must(s.Close(t.Context(), o.Request(), cancelled, nil))(t))
	same(t, "the result of finish", won, must(s.Finish(t.Context(), o.ID, nil))(t))
	stays(t, s, won)
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated}, order.Entry{Type: order.EntryConfirmed})
}

func notClosingIsNotFinished(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	same(t, "the result of finish", o, must(s.Finish(t.Context(), o.ID, []order.Entry{step("x")}))(t))
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated})
}

func endedStays(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	must(s.Close(t.Context(), o.Request(), declined, nil))(t)
	ended := must(s.Finish(t.Context(), o.ID, nil))(t)
	same(t, "create", ended, must(s.Create(t.Context(), o))(t))
	same(t, "confirm", ended, must(s.Confirm(t.Context(), o.ID, "pi_1", nil))(t))
	same(t, "close", ended, must(s.Close(t.Context(), o.Request(), cancelled, nil))(t))
	stays(t, s, ended)
}

func appended(t *testing.T, s store) {
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	must(s.Close(t.Context(), o.Request(), declined, nil))(t)
	ended := must(s.Finish(t.Context(), o.ID, nil))(t)
	refunded := order.Entry{Type: order.EntryRefunded, At: ended.UpdatedAt, Step: "GiveBack", Detail: "2997 USD (pi_1)"}
	for _, key := range []string{"evt_1", "evt_1", "evt_2"} {
		if err := s.AppendTimeline(t.Context(), o.ID, key, refunded); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "the order", ended, must(s.Order(t.Context(), o.ID))(t))
	timeline, err := s.Timeline(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []order.Entry{
		{Type: order.EntryCreated}, {Type: order.EntryClosing}, {Type: order.EntryFailed}, refunded, refunded,
	}
	if diff := cmp.Diff(want, timeline, ignoreTimes); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if err := s.AppendTimeline(t.Context(), ordertest.NewOrder(1).ID, "evt_1", refunded); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("an entry for an unknown order: %v, want order.ErrNotFound", err)
	}
}

func decided(t *testing.T, s store) {
	pending, confirmed, closing, ended := ordertest.NewOrder(1), ordertest.NewOrder(1), ordertest.NewOrder(1), ordertest.NewOrder(1)
	want := map[order.ID]order.Order{}
	for _, o := range []order.Order{pending, confirmed, closing, ended} {
		must(s.Create(t.Context(), o))(t)
	}
	want[confirmed.ID] = must(s.Confirm(t.Context(), confirmed.ID, "pi_1", nil))(t)
	want[closing.ID] = must(s.Close(t.Context(), closing.Request(), outOfStock, nil))(t)
	must(s.Close(t.Context(), ended.Request(), cancelled, nil))(t)
	want[ended.ID] = must(s.Finish(t.Context(), ended.ID, nil))(t)

	got, err := s.Decided(t.Context(), []order.ID{pending.ID, confirmed.ID, closing.ID, ended.ID, ordertest.NewOrder(1).ID})
	if err != nil || len(got) != len(want) {
		t.Errorf("got %d orders, want %d: %+v, %v", len(got), len(want), got, err)
	}
	for _, o := range got {
		same(t, "order "+string(o.Status), want[o.ID], o)
	}
	if none, err := s.Decided(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("asked for no order: got %+v, %v", none, err)
	}
}

func unknown(t *testing.T, s store) {
	id := ordertest.NewOrder(1).ID
	notFound(t, s, id)
	for name, call := range map[string]func() (order.Order, error){
		"confirm": func() (order.Order, error) { return s.Confirm(t.Context(), id, "pi_1", nil) },
		"finish":  func() (order.Order, error) { return s.Finish(t.Context(), id, nil) },
	} {
		if _, err := call(); !errors.Is(err, order.ErrNotFound) {
			t.Errorf("%s: %v, want order.ErrNotFound", name, err)
		}
	}
	notFound(t, s, id)
}

func unstorableTexts(t *testing.T, s store) {
	o := ordertest.NewOrder(1)
	req := o.Request()
	req.Items[0].ProductID, req.PaymentMethod = "nul\x00", "not utf-8 \xff"
	cause := order.Cause{Reason: order.ProductNotFound, Message: "nul\x00", ProductIDs: []string{"nul\x00"}}
	bad := step("PriceItems")
	bad.Detail = "nul\x00 and \xff"
	if _, err := s.Close(t.Context(), req, cause, []order.Entry{bad}); err != nil {
		t.Fatal(err)
	}
	ended, err := s.Finish(t.Context(), o.ID, []order.Entry{bad})
	if err != nil || ended.Status != order.Failed {
		t.Errorf("ended as %+v, %v", ended, err)
	}
}

func confirmAndCloseRace(t *testing.T, s store) {
	const rivals = 50
	o := must(s.Create(t.Context(), ordertest.NewOrder(1)))(t)
	results := race(t, rivals, func(i int) (order.Order, error) {
		if i%2 == 0 {
			return s.Confirm(t.Context(), o.ID, "pi_1", []order.Entry{step("ChargePayment")})
		}
		return s.Close(t.Context(), o.Request(), cancelled, []order.Entry{step("ChargePayment")})
	})
	for _, r := range results {
		same(t, "the result of a rival", results[0], r)
	}
	stays(t, s, results[0])
	won := order.EntryConfirmed
	if results[0].Closing {
		won = order.EntryClosing
	}
	timeline(t, s, o.ID, order.Entry{Type: order.EntryCreated}, step("ChargePayment"), order.Entry{Type: won})
}

func createAndCloseRace(t *testing.T, s store) {
	const rivals = 20
	o := ordertest.NewOrder(1)
	race(t, rivals, func(i int) (order.Order, error) {
		if i%2 == 0 {
			return s.Create(t.Context(), o)
		}
		return s.Close(t.Context(), o.Request(), cancelled, nil)
	})
	got := must(s.Order(t.Context(), o.ID))(t)
	want := []order.Entry{{Type: order.EntryClosing}}
	if got.Version == 2 { // create came first
		want = []order.Entry{{Type: order.EntryCreated}, {Type: order.EntryClosing}}
	}
	if !got.Closing || got.Version > 2 || len(got.Items) != len(o.Items) {
		t.Errorf("the row: %+v", got)
	}
	timeline(t, s, o.ID, want...)
}

func manyAtOnce(t *testing.T, s store) {
	race(t, 40, func(i int) (order.Order, error) {
		o, err := s.Create(t.Context(), ordertest.NewOrder(int64(i+1)))
		if err != nil {
			return o, err
		}
		if i%2 == 0 {
			return s.Confirm(t.Context(), o.ID, "pi", []order.Entry{step("ChargePayment")})
		}
		if _, err := s.Close(t.Context(), o.Request(), declined, nil); err != nil {
			return o, err
		}
		return s.Finish(t.Context(), o.ID, nil)
	})
	all := pages(t, func(cursor string) ([]order.Order, string, error) {
		return s.Orders(t.Context(), order.Query{Cursor: cursor})
	}, order.DefaultPage)
	if len(all) != 40 {
		t.Errorf("%d orders, want 40", len(all))
	}
	for _, o := range all {
		want := order.Failed
		if o.UserID%2 == 1 {
			want = order.Confirmed
		}
		if o.Status != want {
			t.Errorf("the order of user %d is %s, want %s", o.UserID, o.Status, want)
		}
	}
}

func resultsAreCopies(t *testing.T, s store) {
	o := ordertest.NewOrder(1)
	result := must(s.Create(t.Context(), o))(t)
	kept := must(s.Order(t.Context(), o.ID))(t)
	result.Items[0].Quantity, o.Items[0].Quantity = 99, 99
	stays(t, s, kept)
}

// race calls f from many goroutines at once and returns the results.
func race[T any](t *testing.T, rivals int, f func(i int) (T, error)) []T {
	t.Helper()
	results, errs := make([]T, rivals), make([]error, rivals)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() {
			<-start
			results[i], errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return results
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// equal compares orders without the times at which they were stored; same compares everything.
func equal(t *testing.T, what string, want, got order.Order) {
	t.Helper()
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func stays(t *testing.T, s store, want order.Order) {
	t.Helper()
	same(t, "the stored order", want, must(s.Order(t.Context(), want.ID))(t))
}

func timeline(t *testing.T, s store, id order.ID, want ...order.Entry) {
	t.Helper()
	got, err := s.Timeline(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, ignoreTimes); diff != "" {
		t.Errorf("the timeline (-want +got):\n%s", diff)
	}
	for i, r := range got {
		if r.At.IsZero() || (r.Step != "" && !r.At.Equal(want[i].At)) {
			t.Errorf("entry %d, %s %s, has the time %v", i, r.Type, r.Step, r.At)
		}
	}
}

func notFound(t *testing.T, s store, id order.ID) {
	t.Helper()
	if _, err := s.Order(t.Context(), id); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("read: %v, want order.ErrNotFound", err)
	}
	if _, err := s.Timeline(t.Context(), id); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("timeline: %v, want order.ErrNotFound", err)
	}
}
