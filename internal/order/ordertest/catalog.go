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
	returns   map[order.RefundID][]order.ReturnLine
}

// left returns how many units of each product were not returned.
func (h hold) left() map[string]int {
	left := map[string]int{}
	for _, it := range h.items {
		left[it.ProductID] += it.Quantity
	}
	for _, lines := range h.returns {
		for _, l := range lines {
			left[l.ProductID] -= l.Quantity
		}
	}
	return left
}

// MemoryCatalog is the catalog as a saga sees it, in memory. It is safe for concurrent use and passes the contract in package
// catalog, so it behaves like the real one.
type MemoryCatalog struct {
	mu         sync.Mutex
	now        func() time.Time
	products   map[string]order.Line // Quantity is what is available now
	gone       map[string]bool       // products that were removed
	holds      map[order.ID]hold
	writtenOff map[string]int // units that were returned and are not for sale again
}

// NewMemoryCatalog returns a catalog that has the given products, each with its quantity in stock.
func NewMemoryCatalog(now func() time.Time, products ...order.Line) *MemoryCatalog {
	c := &MemoryCatalog{
		now: now, products: map[string]order.Line{}, gone: map[string]bool{}, holds: map[order.ID]hold{}, writtenOff: map[string]int{},
	}
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
	for _, it := range items {
		c.move(it.ProductID, -it.Quantity)
	}
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

func (c *MemoryCatalog) move(product string, units int) {
	p := c.products[product]
	p.Quantity += units
	c.products[product] = p
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
		for product, units := range h.left() {
			c.move(product, +units)
		}
	}
	h.state = Released
	c.holds[id] = h
	return nil
}

// Return takes sold units back, once per refund.
func (c *MemoryCatalog) Return(_ context.Context, id order.ID, refund order.RefundID, lines []order.ReturnLine) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.holds[id]
	if known, ok := h.returns[refund]; ok {
		if !slices.Equal(known, lines) {
			return mismatch{fmt.Errorf("refund %s has returned other lines", refund)}
		}
		return nil
	}
	if h.state != Sold {
		return mismatch{fmt.Errorf("the units of order %s are not sold", id)}
	}
	left := h.left()
	for _, l := range lines {
		if left[l.ProductID] -= l.Quantity; left[l.ProductID] < 0 {
			return mismatch{fmt.Errorf("order %s returns more of %s than it has", id, l.ProductID)}
		}
	}
	if h.returns == nil {
		h.returns = map[order.RefundID][]order.ReturnLine{}
	}
	h.returns[refund] = slices.Clone(lines)
	c.holds[id] = h
	for _, l := range lines {
		c.move(l.ProductID, l.Quantity-l.WriteOff)
		c.writtenOff[l.ProductID] += l.WriteOff
	}
	return nil
}

// mismatch is the error of a return that does not fit what was sold.
type mismatch struct{ error }

// NeedsAttention reports that only a person can fix this.
func (mismatch) NeedsAttention() bool { return true }

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

// Available returns how many units of a product can be reserved.
func (c *MemoryCatalog) Available(product string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.products[product].Quantity
}

// Units returns how many units of a product there are in all: in stock, held, sold and written off.
func (c *MemoryCatalog) Units(product string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	units := c.products[product].Quantity + c.writtenOff[product]
	for _, h := range c.holds {
		if h.state != Released {
			units += h.left()[product]
		}
	}
	return units
}
