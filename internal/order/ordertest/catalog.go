package ordertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Catalog is what an order's saga calls in the catalog.
type Catalog interface {
	PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error)
	Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error
	Commit(ctx context.Context, id order.ID) error
	Release(ctx context.Context, id order.ID) error
}

// HoldState is the state of the units that an order has reserved.
type HoldState string

// The states of a hold. An order without a reservation has the zero value.
const (
	Held     HoldState = "held"
	Sold     HoldState = "sold"
	Released HoldState = "released" // for good: the order can reserve nothing any more
	Short    HoldState = "short"    // refused because stock was short; it stays refused
)

type hold struct {
	state     HoldState
	items     []order.Item
	expiresAt time.Time
	short     error // why it was refused
}

// MemoryCatalog is a Catalog in memory. It is safe for concurrent use and passes CatalogContract, so it behaves like the real
// one.
type MemoryCatalog struct {
	mu       sync.Mutex
	now      func() time.Time
	products map[string]order.Line // Quantity is what is available now
	gone     map[string]bool       // products that were removed
	holds    map[order.ID]hold
}

// NewMemoryCatalog returns a catalog that has the given products, each with its quantity in stock.
func NewMemoryCatalog(now func() time.Time, products ...order.Line) *MemoryCatalog {
	c := &MemoryCatalog{now: now, products: map[string]order.Line{}, gone: map[string]bool{}, holds: map[order.ID]hold{}}
	for _, p := range products {
		c.products[p.ProductID] = p
	}
	return c
}

// PriceItems prices every item, or refuses and names all unknown products.
func (c *MemoryCatalog) PriceItems(_ context.Context, items []order.Item) ([]order.Line, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.known(items); err != nil {
		return nil, err
	}
	lines := make([]order.Line, 0, len(items))
	for _, it := range items {
		line := c.products[it.ProductID]
		line.Quantity = it.Quantity
		lines = append(lines, line)
	}
	return lines, nil
}

func (c *MemoryCatalog) known(items []order.Item) error {
	r := order.Refuse(order.ProductNotFound, "the shop does not have some of the products")
	for _, it := range items {
		if _, ok := c.products[it.ProductID]; !ok || c.gone[it.ProductID] {
			r.Cause.ProductIDs = append(r.Cause.ProductIDs, it.ProductID)
		}
	}
	if len(r.Cause.ProductIDs) > 0 {
		return r
	}
	return nil
}

// Reserve holds all items or none.
func (c *MemoryCatalog) Reserve(_ context.Context, id order.ID, items []order.Item, expiresAt time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h, ok := c.holds[id]; ok {
		if err := c.lost(h); err != nil {
			return err
		}
		if !slices.Equal(h.items, items) {
			return fmt.Errorf("order %s holds other items", id)
		}
		return nil
	}
	if err := c.known(items); err != nil {
		return err
	}
	if err := c.enough(items); err != nil {
		c.holds[id] = hold{state: Short, short: err}
		return err
	}
	c.holds[id] = hold{state: Held, items: slices.Clone(items), expiresAt: expiresAt}
	c.move(items, -1)
	return nil
}

func (c *MemoryCatalog) enough(items []order.Item) error {
	wanted := map[string]int{}
	for _, it := range items {
		wanted[it.ProductID] += it.Quantity
	}
	r := order.Refuse(order.OutOfStock, "there is not enough of some of the products")
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if have := c.products[id].Quantity; have < wanted[id] {
			r.Cause.Shortages = append(r.Cause.Shortages,
				order.Shortage{ProductID: id, Requested: int64(wanted[id]), Available: int64(have)})
		}
	}
	if len(r.Cause.Shortages) > 0 {
		return r
	}
	return nil
}

// lost returns why a hold no longer counts, or nil.
func (c *MemoryCatalog) lost(h hold) error {
	switch {
	case h.state == Short:
		return h.short
	case h.state == Released:
		return order.Refuse(order.ReservationLost, "the reserved units were given back")
	case h.state == Held && !c.now().Before(h.expiresAt):
		return order.Refuse(order.ReservationLost, "the reserved units were not bought in time")
	}
	return nil
}

func (c *MemoryCatalog) move(items []order.Item, sign int) {
	for _, it := range items {
		p := c.products[it.ProductID]
		p.Quantity += sign * it.Quantity
		c.products[it.ProductID] = p
	}
}

// Commit turns the order's hold into a sale.
func (c *MemoryCatalog) Commit(_ context.Context, id order.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.holds[id]
	if !ok {
		return order.Refuse(order.ReservationLost, "nothing is reserved for the order")
	}
	if err := c.lost(h); err != nil {
		return err
	}
	h.state = Sold
	c.holds[id] = h
	return nil
}

// Release gives back what the order holds or has bought, for good.
func (c *MemoryCatalog) Release(_ context.Context, id order.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.holds[id]
	if h.state == Short {
		return nil
	}
	if h.state != Released {
		c.move(h.items, +1)
	}
	h.state = Released
	c.holds[id] = h
	return nil
}

// SetPrice changes what a product costs.
func (c *MemoryCatalog) SetPrice(product string, price money.Money) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.products[product]
	p.Price = price
	c.products[product] = p
}

// Remove takes a product out of the catalog. Its units are still counted.
func (c *MemoryCatalog) Remove(product string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[product] = true
}

// State returns the state of the order's hold.
func (c *MemoryCatalog) State(id order.ID) HoldState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holds[id].state
}

// Units returns how many units of a product there are in all: in stock, held and sold.
func (c *MemoryCatalog) Units(product string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	units := c.products[product].Quantity
	for _, h := range c.holds {
		for _, it := range h.items {
			if h.state != Released && it.ProductID == product {
				units += it.Quantity
			}
		}
	}
	return units
}

// Shop is a catalog under test and its clock.
type Shop struct {
	Catalog
	Now     func() time.Time
	Advance func(time.Duration) // moves the clock
}

// CatalogContract runs the suite over the catalogs that open returns. Each is new and has only the given products.
func CatalogContract(t *testing.T, open func(t *testing.T, products ...order.Line) Shop) {
	kettle := order.Line{ProductID: "kettle", Name: "Kettle", Quantity: 3, Price: money.Money{Amount: 2999, Currency: "EUR"}}
	tests := map[string]func(*testing.T, Shop){
		"every item is priced, in order":                              pricesItems,
		"unknown products are refused by name":                        refusesUnknownProducts,
		"a hold is taken once and sold once":                          holdsAndSells,
		"a shortage is refused, and nothing is held":                  refusesShortages,
		"equal products on two lines are one demand":                  sumsEqualProducts,
		"held or sold units are given back once, for good":            releasesForGood,
		"releasing nothing leaves a tombstone":                        releasesNothing,
		"a hold that has expired can be neither sold nor taken again": expires,
		"other items for the same order are an error, not a refusal":  refusesOtherItems,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, kettle))
		})
	}
}

func kettles(quantity int) []order.Item {
	return []order.Item{{ProductID: "kettle", Quantity: quantity}}
}

func newID() order.ID { return order.ID(uuid.NewString()) }

func (s Shop) soon() time.Time { return s.Now().Add(time.Hour) }

func pricesItems(t *testing.T, s Shop) {
	got, err := s.PriceItems(t.Context(), append(kettles(2), kettles(1)...))
	price := money.Money{Amount: 2999, Currency: "EUR"}
	want := []order.Line{
		{ProductID: "kettle", Name: "Kettle", Quantity: 2, Price: price},
		{ProductID: "kettle", Name: "Kettle", Quantity: 1, Price: price},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("prices: %v (-want +got):\n%s", err, diff)
	}
}

func refusesUnknownProducts(t *testing.T, s Shop) {
	_, err := s.PriceItems(t.Context(), append(kettles(1), order.Item{ProductID: "ghost", Quantity: 1}))
	refusedAs(t, err, order.Cause{Reason: order.ProductNotFound, ProductIDs: []string{"ghost"}})
}

func holdsAndSells(t *testing.T, s Shop) {
	id := newID()
	for range 2 {
		succeeds(t, s.Reserve(t.Context(), id, kettles(2), s.soon()))
	}
	for range 2 {
		succeeds(t, s.Commit(t.Context(), id))
	}
	succeeds(t, s.Reserve(t.Context(), id, kettles(2), s.soon()))
	succeeds(t, s.Reserve(t.Context(), newID(), kettles(1), s.soon()))
}

func refusesShortages(t *testing.T, s Shop) {
	succeeds(t, s.Reserve(t.Context(), newID(), kettles(2), s.soon()))
	id := newID()
	short := order.Cause{Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "kettle", Requested: 2, Available: 1}}}
	for range 2 {
		refusedAs(t, s.Reserve(t.Context(), id, kettles(2), s.soon()), short)
	}
	refusedAs(t, s.Commit(t.Context(), id), short)
	succeeds(t, s.Reserve(t.Context(), newID(), kettles(1), s.soon()))
	succeeds(t, s.Release(t.Context(), id))
	refusedAs(t, s.Reserve(t.Context(), id, kettles(2), s.soon()), short)
}

func sumsEqualProducts(t *testing.T, s Shop) {
	refusedAs(t, s.Reserve(t.Context(), newID(), append(kettles(2), kettles(2)...), s.soon()), order.Cause{
		Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "kettle", Requested: 4, Available: 3}},
	})
}

func releasesForGood(t *testing.T, s Shop) {
	for _, sold := range []bool{false, true} {
		id := newID()
		succeeds(t, s.Reserve(t.Context(), id, kettles(3), s.soon()))
		if sold {
			succeeds(t, s.Commit(t.Context(), id))
		}
		for range 2 {
			succeeds(t, s.Release(t.Context(), id))
		}
		refusedAs(t, s.Reserve(t.Context(), id, kettles(3), s.soon()), order.Cause{Reason: order.ReservationLost})
		refusedAs(t, s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	}
	succeeds(t, s.Reserve(t.Context(), newID(), kettles(3), s.soon()))
}

func releasesNothing(t *testing.T, s Shop) {
	id := newID()
	refusedAs(t, s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	succeeds(t, s.Release(t.Context(), id))
	refusedAs(t, s.Reserve(t.Context(), id, kettles(1), s.soon()), order.Cause{Reason: order.ReservationLost})
}

func expires(t *testing.T, s Shop) {
	id := newID()
	succeeds(t, s.Reserve(t.Context(), id, kettles(1), s.soon()))
	s.Advance(time.Hour + time.Second)
	refusedAs(t, s.Commit(t.Context(), id), order.Cause{Reason: order.ReservationLost})
	refusedAs(t, s.Reserve(t.Context(), id, kettles(1), s.soon()), order.Cause{Reason: order.ReservationLost})
	succeeds(t, s.Release(t.Context(), id))
}

func refusesOtherItems(t *testing.T, s Shop) {
	id := newID()
	succeeds(t, s.Reserve(t.Context(), id, kettles(1), s.soon()))
	err := s.Reserve(t.Context(), id, kettles(2), s.soon())
	if err == nil || errors.As(err, new(*order.Refusal)) {
		t.Errorf("error %v, want one that is not a refusal", err)
	}
}

func succeeds(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// refusedAs checks that err is a refusal for a cause. It ignores the message, which is for people.
func refusedAs(t *testing.T, err error, want order.Cause) {
	t.Helper()
	var r *order.Refusal
	if !errors.As(err, &r) {
		t.Errorf("error %v, want a refusal: %s", err, want.Reason)
		return
	}
	got := r.Cause
	got.Message = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the refusal's cause (-want +got):\n%s", diff)
	}
}
