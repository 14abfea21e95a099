package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// order is what the calls of one order asked for and what they have returned so far.
type order struct {
	id        string
	lines     []stock.Line
	expiresAt time.Time

	returns []*giveBack

	sawHeld, sawShort, sawSold, sawGone bool
	releaseStarted, releaseDone         bool
}

func (g *game) newOrder(n int) *order {
	o := &order{
		id:        fmt.Sprintf("%sorder%d", g.options.prefix, n),
		expiresAt: start.Add(time.Duration(1+10*g.choose("expiry", 3)) * time.Second),
	}
	most := 2
	if g.options.sold {
		most = maxSold
	}
	for _, p := range g.products {
		if q := g.choose("quantity", most+1); q > 0 {
			o.lines = append(o.lines, stock.Line{ProductID: p, Quantity: int64(q)})
		}
	}
	if o.lines == nil {
		o.lines = []stock.Line{{ProductID: g.products[0], Quantity: 1}}
	}
	for n := range 3 {
		o.returns = append(o.returns, g.newReturn(fmt.Sprintf("r%d", n), o.lines))
	}
	return o
}

func (g *game) reserved(o *order, releasedBefore bool, err error) {
	g.note("reserve %s: %v", o.id, err)
	var short *stock.ShortError
	switch {
	case err == nil && releasedBefore:
		g.broken = fmt.Errorf("%s was reserved after its release had returned", o.id)
	case err == nil:
		o.sawHeld = true
	case errors.As(err, &short):
		o.sawShort = true
		if len(short.Shortages) == 0 {
			g.broken = fmt.Errorf("%s is short, but of no product", o.id)
		}
	}
}

func (g *game) committed(o *order, err error) {
	g.note("commit %s: %v", o.id, err)
	var short *stock.ShortError
	switch {
	case err == nil:
		o.sawSold = true
	case errors.Is(err, stock.ErrExpired), errors.Is(err, stock.ErrReleased), errors.As(err, &short):
		o.sawGone = true
	}
}

// check checks everything while no call runs.
func (g *game) check() error {
	if g.broken != nil {
		return g.broken
	}
	reservations, adjustments, err := g.books()
	if err != nil {
		return err
	}
	byID := map[string]stock.Reservation{}
	for _, r := range reservations {
		byID[r.ID] = r
	}
	for _, o := range g.orders {
		r, ok := byID[o.id]
		if !ok { // it may be a tombstone, which has no lines
			if r, err = g.store.Reservation(g.ctx, o.id); err != nil && !errors.Is(err, stock.ErrNotFound) {
				return err
			}
		}
		if err := o.check(r, g.now); err != nil {
			return err
		}
	}
	products, err := g.store.Snapshots(g.ctx, g.products)
	if err != nil {
		return err
	}
	for _, id := range g.products {
		if err := g.checkProduct(products[id], reservations, adjustments); err != nil {
			return err
		}
	}
	return nil
}

// books returns the reservations and adjustments of this history's products.
func (g *game) books() (reservations []stock.Reservation, adjustments []stock.Adjustment, err error) {
	err = errors.Join(
		g.store.Reservations(g.ctx, g.products, time.Time{}, func(r stock.Reservation) error {
			reservations = append(reservations, r)
			return nil
		}),
		g.store.Adjustments(g.ctx, g.products, time.Time{}, func(a stock.Adjustment) error {
			adjustments = append(adjustments, a)
			return nil
		}))
	return reservations, adjustments, err
}

func (o *order) check(r stock.Reservation, now time.Time) error {
	back := r.State == stock.Releasing || r.State == stock.Released
	broken := func(promise string) error { return fmt.Errorf("order %s: %s, but now: %+v", o.id, promise, r) }
	switch {
	case o.sawHeld && r.Why == stock.WhyShort:
		return broken("a reserve succeeded, and it was short")
	case o.sawShort && r.Why != stock.WhyShort:
		return broken("a reserve was short")
	case o.sawSold && !o.releaseStarted && r.State != stock.Sold && r.State != stock.Returning:
		return broken("a commit succeeded, and no call released it")
	case o.sawSold && back && r.Why != stock.WhyReleased:
		return broken("a commit succeeded, and it ended without a release")
	case o.sawGone && !back:
		return broken("a commit was refused for good")
	case o.releaseDone && r.State != stock.Released:
		return broken("a release succeeded")
	case r.Why == stock.WhyExpired && r.ExpiresAt.After(now):
		return broken("it expired before its time")
	}
	if promise := o.checkReturns(r); promise != "" {
		return broken(promise)
	}
	return nil
}

// checkProduct checks the invariant of package stock.
func (g *game) checkProduct(p stock.Snapshot, reservations []stock.Reservation, adjustments []stock.Adjustment) error {
	taken, restocked := stock.Expected(p, slices.Values(reservations), slices.Values(adjustments))
	switch {
	case p.Initial != g.initial[p.ProductID] || p.Available < 0:
		return fmt.Errorf("product %s: impossible counters: %+v", p.ProductID, p)
	case p.Available != p.Initial+restocked-taken || p.Restocked != restocked:
		return fmt.Errorf("product %s: units were lost or made: orders have taken %d, %d were restocked, but it has %+v",
			p.ProductID, taken, restocked, p)
	case p.MarkCount != len(p.Marks):
		return fmt.Errorf("product %s: %d marks counted, %d there", p.ProductID, p.MarkCount, len(p.Marks))
	}
	for _, r := range reservations {
		if mark, ok := p.Marks[r.ID]; ok && r.State.AtRest() && mark != r.Mark(p.ProductID) {
			return fmt.Errorf("product %s: %s is at rest, but its mark is %s: %+v", p.ProductID, r.ID, mark, r)
		}
	}
	return nil
}

// allAtRest checks that no work is left and that no hold has outlived its expiry.
func (g *game) allAtRest() error {
	reservations, adjustments, err := g.books()
	if err != nil {
		return err
	}
	for _, r := range reservations {
		if !r.State.AtRest() || r.State == stock.Held && !r.ExpiresAt.After(g.now) {
			return fmt.Errorf("after all sweeps %s is still %+v", r.ID, r)
		}
	}
	for _, a := range adjustments {
		if a.State == stock.Pending {
			return fmt.Errorf("after all sweeps %s is still %+v", a.ID, a)
		}
	}
	return g.conserved(reservations, adjustments)
}

// allAvailable checks that all units are for sale after everything was released.
func (g *game) allAvailable() error {
	for _, id := range g.products {
		p, err := read(g.ctx, g.store, id)
		if err != nil {
			return err
		}
		if p.Available != p.Initial+p.Restocked {
			return fmt.Errorf("product %s: everything was released, but: %+v", id, p)
		}
	}
	return nil
}

// accountedFor checks that the movements in the ledger add up to where the units are, and that an audit agrees.
func (g *game) accountedFor() error {
	service := stock.New(g.store, stock.Options{})
	for _, id := range g.products {
		want, err := service.Units(g.ctx, id)
		if err != nil {
			return err
		}
		movements, err := service.Movements(g.ctx, id)
		if err != nil {
			return err
		}
		got := stock.Units{ProductID: id, Initial: want.Initial, Available: want.Initial}
		seen := map[string]bool{}
		for _, m := range movements {
			if seen[m.ID] {
				return fmt.Errorf("product %s: movement %s is there twice", id, m.ID)
			}
			seen[m.ID] = true
			if m.Available+m.Held+m.Sold != m.Restocked {
				return fmt.Errorf("product %s: a movement makes or loses units: %+v", id, m)
			}
			got.Available += m.Available
			got.Held += m.Held
			got.Sold += m.Sold
			got.Restocked += m.Restocked
		}
		if got != want {
			return fmt.Errorf("product %s: the movements add up to %+v, but there are %+v:\n%+v", id, got, want, movements)
		}
	}
	audit, err := service.AuditProducts(g.ctx, g.products)
	if err != nil {
		return err
	}
	if len(audit.Drifts) > 0 || audit.Products != len(g.products) {
		return fmt.Errorf("an audit at the end found %+v", audit)
	}
	return nil
}
