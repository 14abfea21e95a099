package catalog

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
)

// sagaCatalog is what an order's saga calls in the catalog.
type sagaCatalog interface {
	PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error)
	Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error
	Commit(ctx context.Context, id order.ID) error
	Release(ctx context.Context, id order.ID) error
	Return(ctx context.Context, id order.ID, refund order.RefundID, lines []order.ReturnLine) error
}

// contractShop is a catalog under test and its clock.
type contractShop struct {
	sagaCatalog
	clock *clocktest.Clock
}

func TestTheCatalogKeepsTheContractOfSagas(t *testing.T) {
	t.Parallel()
	sagaContract(t, func(t *testing.T, now *clocktest.Clock, p order.Line) sagaCatalog {
		store := memorytest.New()
		body := fmt.Sprintf(`{"id": %q, "name": %q, "price": {"amount": %d, "currency": %q}, "stock": %d, "category": "kitchen"}`,
			p.ProductID, p.Name, p.Price.Amount, p.Price.Currency, p.Quantity)
		if a := send(t, serve(t, store), "POST", "/products", body); a.status != 201 {
			t.Fatalf("seed: %d", a.status)
		}
		return dialAt(t, store, now.Now)
	})
}

func TestMemoryCatalogKeepsTheContractOfSagas(t *testing.T) {
	t.Parallel()
	sagaContract(t, func(_ *testing.T, now *clocktest.Clock, p order.Line) sagaCatalog {
		return ordertest.NewMemoryCatalog(now.Now, p)
	})
}

// sagaContract is what a saga relies on, over the catalog and over the fake in the saga's tests alike. open returns a new
// catalog that has only the given product.
func sagaContract(t *testing.T, open func(*testing.T, *clocktest.Clock, order.Line) sagaCatalog) {
	kettle := order.Line{ProductID: "kettle", Name: "Kettle", Quantity: 3, Price: money.Money{Amount: 2999, Currency: "EUR"}}
	tests := map[string]func(contractShop, *testing.T){
		"every item is priced, in order":                              contractShop.pricesItems,
		"unknown products are refused by name":                        contractShop.refusesUnknownProducts,
		"a hold is taken once and sold once":                          contractShop.holdsAndSells,
		"a shortage is refused, and nothing is held":                  contractShop.refusesShortages,
		"equal products on two lines are one demand":                  contractShop.sumsEqualProducts,
		"held or sold units are given back once, for good":            contractShop.releasesForGood,
		"releasing nothing leaves a tombstone":                        contractShop.releasesNothing,
		"a hold that has expired can be neither sold nor taken again": contractShop.expires,
		"other items for the same order are an error, not a refusal":  contractShop.refusesOtherItems,
		"sold units come back once per refund":                        contractShop.takesBack,
		"a return that does not fit the sale needs attention":         contractShop.refusesReturns,
		"a saga that lost its memory meets its own returns":           contractShop.returnsAndForgets,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := clocktest.At(clock)
			test(contractShop{open(t, now, kettle), now}, t)
		})
	}
}

func newID() order.ID { return order.ID(uuid.NewString()) }

func (s contractShop) soon() time.Time { return s.clock.Now().Add(time.Hour) }

func (s contractShop) pricesItems(t *testing.T) {
	got, err := s.PriceItems(t.Context(), append(items(2), items(1)...))
	price := money.Money{Amount: 2999, Currency: "EUR"}
	want := []order.Line{
		{ProductID: "kettle", Name: "Kettle", Quantity: 2, Price: price},
		{ProductID: "kettle", Name: "Kettle", Quantity: 1, Price: price},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("prices: %v (-want +got):\n%s", err, diff)
	}
}

func (s contractShop) refusesUnknownProducts(t *testing.T) {
	_, err := s.PriceItems(t.Context(), append(items(1), order.Item{ProductID: "ghost", Quantity: 1}))
	refused(t, "the call", err, order.Cause{Reason: order.ProductNotFound, ProductIDs: []string{"ghost"}})
}

func (s contractShop) holdsAndSells(t *testing.T) {
	id := newID()
	for range 2 {
		succeeds(t, s.Reserve(t.Context(), id, items(2), s.soon()))
	}
	for range 2 {
		succeeds(t, s.Commit(t.Context(), id))
	}
	succeeds(t, s.Reserve(t.Context(), id, items(2), s.soon()))
	succeeds(t, s.Reserve(t.Context(), newID(), items(1), s.soon()))
}

func (s contractShop) refusesShortages(t *testing.T) {
	succeeds(t, s.Reserve(t.Context(), newID(), items(2), s.soon()))
	id := newID()
	short := order.Cause{Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "kettle", Requested: 2, Available: 1}}}
	for range 2 {
		refused(t, "the call", s.Reserve(t.Context(), id, items(2), s.soon()), short)
	}
	refused(t, "the call", s.Commit(t.Context(), id), short)
	succeeds(t, s.Reserve(t.Context(), newID(), items(1), s.soon()))
	succeeds(t, s.Release(t.Context(), id))
	refused(t, "the call", s.Reserve(t.Context(), id, items(2), s.soon()), short)
}

func (s contractShop) sumsEqualProducts(t *testing.T) {
	refused(t, "the call", s.Reserve(t.Context(), newID(), append(items(2), items(2)...), s.soon()), order.Cause{
		Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "kettle", Requested: 4, Available: 3}},
	})
}

func (s contractShop) releasesForGood(t *testing.T) {
	for _, sold := range []bool{false, true} {
		id := newID()
		succeeds(t, s.Reserve(t.Context(), id, items(3), s.soon()))
		if sold {
			succeeds(t, s.Commit(t.Context(), id))
		}
		for range 2 {
			succeeds(t, s.Release(t.Context(), id))
		}
		refused(t, "the call", s.Reserve(t.Context(), id, items(3), s.soon()), order.Cause{Reason: order.ReservationLost})
		refused(t, "the call", s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	}
	succeeds(t, s.Reserve(t.Context(), newID(), items(3), s.soon()))
}

func (s contractShop) releasesNothing(t *testing.T) {
	id := newID()
	refused(t, "the call", s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	succeeds(t, s.Release(t.Context(), id))
	refused(t, "the call", s.Reserve(t.Context(), id, items(1), s.soon()), order.Cause{Reason: order.ReservationLost})
}

func (s contractShop) expires(t *testing.T) {
	id := newID()
	succeeds(t, s.Reserve(t.Context(), id, items(1), s.soon()))
	s.clock.Advance(time.Hour + time.Second)
	refused(t, "the call", s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	refused(t, "the call", s.Reserve(t.Context(), id, items(1), s.soon()), order.Cause{Reason: order.ReservationLost})
	succeeds(t, s.Release(t.Context(), id))
}

func (s contractShop) refusesOtherItems(t *testing.T) {
	id := newID()
	succeeds(t, s.Reserve(t.Context(), id, items(1), s.soon()))
	err := s.Reserve(t.Context(), id, items(2), s.soon())
	if err == nil || errors.As(err, new(*order.Refusal)) {
		t.Errorf("error %v, want one that is not a refusal", err)
	}
}

// sell sells kettles to a new order.
func (s contractShop) sell(t *testing.T, quantity int) order.ID {
	t.Helper()
	id := newID()
	succeeds(t, s.Reserve(t.Context(), id, items(quantity), s.soon()))
	succeeds(t, s.Commit(t.Context(), id))
	return id
}

// available checks how many kettles can be bought.
func (s contractShop) available(t *testing.T, want int) {
	t.Helper()
	refused(t, "one more than is available", s.Reserve(t.Context(), newID(), items(want+1), s.soon()), order.Cause{
		Reason:    order.OutOfStock,
		Shortages: []order.Shortage{{ProductID: "kettle", Requested: int64(want + 1), Available: int64(want)}},
	})
}

func returned(quantity, writeOff int) []order.ReturnLine {
	return []order.ReturnLine{{ProductID: "kettle", Quantity: quantity, WriteOff: writeOff}}
}

func newRefund() order.RefundID { return order.RefundID(newID()) }

func (s contractShop) takesBack(t *testing.T) {
	id, whole, broken := s.sell(t, 3), newRefund(), newRefund()
	for range 2 {
		succeeds(t, s.Return(t.Context(), id, whole, returned(1, 0)))
		s.available(t, 1)
	}
	for range 2 { // the first again, after the second
		succeeds(t, s.Return(t.Context(), id, broken, returned(2, 1)))
		succeeds(t, s.Return(t.Context(), id, whole, returned(1, 0)))
		s.available(t, 2)
	}
	succeeds(t, s.Reserve(t.Context(), newID(), items(2), s.soon()))
}

func (s contractShop) refusesReturns(t *testing.T) {
	held, id, known := newID(), s.sell(t, 2), newRefund()
	succeeds(t, s.Reserve(t.Context(), held, items(1), s.soon()))
	succeeds(t, s.Return(t.Context(), id, known, returned(1, 0)))
	for name, call := range map[string]struct {
		id     order.ID
		refund order.RefundID
		lines  []order.ReturnLine
	}{
		"other lines":         {id, known, returned(1, 1)},
		"more than are left":  {id, newRefund(), returned(2, 0)},
		"another product":     {id, newRefund(), []order.ReturnLine{{ProductID: "lamp", Quantity: 1}}},
		"units that are held": {held, newRefund(), returned(1, 0)},
		"an unknown order":    {newID(), newRefund(), returned(1, 0)},
	} {
		for range 2 {
			err := s.Return(t.Context(), call.id, call.refund, call.lines)
			var needer interface{ NeedsAttention() bool }
			if !errors.As(err, &needer) || !needer.NeedsAttention() || errors.As(err, new(*order.Refusal)) {
				t.Errorf("%s: error %v, want one that needs attention", name, err)
			}
		}
	}
	s.available(t, 1)
}

// returnsAndForgets repeats the calls of an order's saga after some units came back.
func (s contractShop) returnsAndForgets(t *testing.T) {
	id, refund := s.sell(t, 3), newRefund()
	succeeds(t, s.Return(t.Context(), id, refund, returned(2, 1)))
	succeeds(t, s.Reserve(t.Context(), id, items(3), s.soon()))
	succeeds(t, s.Commit(t.Context(), id))
	s.available(t, 1)
	for range 2 {
		succeeds(t, s.Release(t.Context(), id))
		s.available(t, 2)
	}
	succeeds(t, s.Return(t.Context(), id, refund, returned(2, 1))) // it has happened
	if err := s.Return(t.Context(), id, newRefund(), returned(1, 0)); err == nil {
		t.Error("units came back after the release")
	}
	s.available(t, 2)
}

func succeeds(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
