package ordertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

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

// MemoryCatalog is the catalog as a saga sees it, in memory. It is safe for concurrent use and passes the contract in package
// catalog, so it behaves like the real one.
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
