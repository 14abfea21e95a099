package stocktest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// order is what was asked for one order, and what was answered so far.
type order struct {
	id        string
	lines     []stock.Line
	expiresAt time.Time

	sawHeld, sawShort, sawSold, sawGone bool
	releaseStarted, releaseAnswered     bool
}

func (g *game) newOrder(n int) *order {
	o := &order{
		id:        fmt.Sprintf("%sorder%d", g.options.Prefix, n),
		expiresAt: start.Add(time.Duration(1+10*g.choose.Choose("expiry", 3)) * time.Second),
	}
	for _, p := range g.products {
		if q := g.choose.Choose("quantity", 3); q > 0 {
			o.lines = append(o.lines, stock.Line{ProductID: p, Quantity: int64(q)})
		}
	}
	if o.lines == nil {
		o.lines = []stock.Line{{ProductID: g.products[0], Quantity: 1}}
	}
	return o
}

// mine reports whether a reservation belongs to this history. Adjustments do when their product does, which is not
// visible here; only stores of one history see them.
func (g *game) mine(id string) bool {
	return strings.HasPrefix(id, g.options.Prefix) || strings.HasPrefix(id, "restock-") || strings.HasPrefix(id, "correct-")
}

func (g *game) reserved(o *order, releasedBefore bool, err error) {
	g.note("reserve %s: %v", o.id, err)
	var short *stock.ShortError
	switch {
	case err == nil && releasedBefore:
		g.broken = fmt.Errorf("%s was reserved after its release was answered", o.id)
	case err == nil:
		o.sawHeld = true
	case errors.As(err, &short):
		o.sawShort = true
		if len(short.Shortages) == 0 {
			g.broken = fmt.Errorf("%s is short of nothing", o.id)
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

// check looks at everything while nobody is at work.
func (g *game) check() error {
	if g.broken != nil {
		return g.broken
	}
	var reservations []stock.Reservation
	for _, o := range g.orders {
		r, err := g.store.Reservation(g.ctx, o.id)
		if err != nil && !errors.Is(err, stock.ErrNotFound) {
			return err
		}
		if err := o.check(r, g.now); err != nil {
			return err
		}
		reservations = append(reservations, r)
	}
	adjustments, err := g.adjustments()
	if err != nil {
		return err
	}
	for _, p := range g.products {
		if err := g.checkProduct(p, append(reservations, adjustments...)); err != nil {
			return err
		}
	}
	return nil
}

func (o *order) check(r stock.Reservation, now time.Time) error {
	back := r.State == stock.Releasing || r.State == stock.Released
	broken := func(promise string) error { return fmt.Errorf("order %s: %s, but now: %+v", o.id, promise, r) }
	switch {
	case o.sawHeld && r.Why == stock.WhyShort:
		return broken("was answered held, and short")
	case o.sawShort && r.Why != stock.WhyShort:
		return broken("was answered short")
	case o.sawSold && !o.releaseStarted && r.State != stock.Committing && r.State != stock.Sold:
		return broken("was answered sold, and nobody released it")
	case o.sawSold && back && r.Why != stock.WhyReleased:
		return broken("was answered sold, and not released")
	case o.sawGone && !back:
		return broken("its commit was refused for good")
	case o.releaseAnswered && r.State != stock.Released:
		return broken("was released")
	case r.Why == stock.WhyExpired && r.ExpiresAt.After(now):
		return broken("expired before its time")
	}
	return nil
}

// checkProduct checks the invariant of package stock.
func (g *game) checkProduct(id string, reservations []stock.Reservation) error {
	c, err := g.store.Counters(g.ctx, id)
	if err != nil {
		return err
	}
	marks, err := g.store.Marks(g.ctx, id)
	if err != nil {
		return err
	}
	held, sold, restocked := stock.Owed(id, marks, reservations)
	switch {
	case c.Available+c.Held+c.Sold != c.Initial+c.Restocked || c.Initial != g.initial[id]:
		return fmt.Errorf("product %s: units were lost or made: %+v", id, c)
	case c.Available < 0 || c.Held < 0 || c.Sold < 0:
		return fmt.Errorf("product %s: negative: %+v", id, c)
	case c.Held != held || c.Sold != sold || c.Restocked != restocked:
		return fmt.Errorf("product %s: orders account for held %d, sold %d, restocked %d, but there are %+v, marks %v",
			id, held, sold, restocked, c, marks)
	case c.Marks != len(marks):
		return fmt.Errorf("product %s: %d marks counted, %d there", id, c.Marks, len(marks))
	}
	return nil
}

// adjustments returns the restockings and corrections of this history's products.
func (g *game) adjustments() ([]stock.Reservation, error) {
	var out []stock.Reservation
	err := g.store.Wanting(g.ctx, g.products, time.Time{}, func(r stock.Reservation) error {
		if !strings.HasPrefix(r.ID, g.options.Prefix+"order") {
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// allAtRest checks that nothing is left to do, and nothing is held any longer than it may.
func (g *game) allAtRest() error {
	all, err := g.adjustments()
	if err != nil {
		return err
	}
	for _, o := range g.orders {
		r, err := g.store.Reservation(g.ctx, o.id)
		if errors.Is(err, stock.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	for _, r := range all {
		if !r.State.AtRest() || r.State == stock.Held && !r.ExpiresAt.After(g.now) {
			return fmt.Errorf("after all sweeps %s is still %+v", r.ID, r)
		}
	}
	return nil
}

// allAvailable checks that after everything was released all units are for sale.
func (g *game) allAvailable() error {
	for _, p := range g.products {
		c, err := g.store.Counters(g.ctx, p)
		if err != nil {
			return err
		}
		if c.Available != c.Initial+c.Restocked || c.Held != 0 || c.Sold != 0 {
			return fmt.Errorf("product %s: everything was released, but: %+v", p, c)
		}
	}
	return nil
}

// accountedFor checks that the ledger tells how the counters came to be what they are, and that an audit agrees.
func (g *game) accountedFor() error {
	for _, p := range g.products {
		c, err := g.store.Counters(g.ctx, p)
		if err != nil {
			return err
		}
		movements, err := stock.Movements(g.ctx, g.store, p)
		if err != nil {
			return err
		}
		told := stock.Counters{ProductID: p, Initial: c.Initial, Available: c.Initial, Marks: c.Marks}
		seen := map[string]bool{}
		for _, m := range movements {
			if seen[m.ID] {
				return fmt.Errorf("product %s: movement %s is there twice", p, m.ID)
			}
			seen[m.ID] = true
			told.Available += m.Available
			told.Held += m.Held
			told.Sold += m.Sold
			told.Restocked += m.Restocked
		}
		if told != c {
			return fmt.Errorf("product %s: the movements make %+v, but there are %+v:\n%+v", p, told, c, movements)
		}
	}
	audit, err := stock.New(g.store, stock.Options{}).AuditProducts(g.ctx, g.store, g.products)
	if err != nil {
		return err
	}
	if len(audit.Drifts) > 0 || audit.Products != len(g.products) {
		return fmt.Errorf("an audit at the end found %+v", audit)
	}
	return nil
}
