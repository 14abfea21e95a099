package stocktest

import (
	"context"
	"runtime"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Wrong makes a store misbehave. The zero value changes nothing.
type Wrong struct {
	wrap func(stock.Store) stock.Store
	// torn says that other calls can get in between the operations on the right store that make up one operation of this
	// store. Otherwise each operation is atomic, and one that lands late is wrong in the same way.
	torn bool
}

// Over returns the wrong store over a right one.
func (w Wrong) Over(right stock.Store) stock.Store {
	if w.wrap == nil {
		return right
	}
	return w.wrap(right)
}

// WrongStores are the wrong stores by what they do. Playing against any of them must find a broken promise, which shows
// that the checks can. overwrite is Overwrite of memorytest.Store.
func WrongStores(overwrite func(u stock.Update, available int64)) map[string]Wrong {
	return map[string]Wrong{
		"reads, modifies and writes": {func(s stock.Store) stock.Store { return readModifyWrite{s, overwrite} }, true},
		"keeps no tombstone":         {func(s stock.Store) stock.Store { return noTombstone{s} }, false},
		"ignores the epoch":          {func(s stock.Store) stock.Store { return noEpoch{s} }, false},
		"marks no tombstone":         {func(s stock.Store) stock.Store { return noMark{s} }, false},
		"changes unguarded":          {func(s stock.Store) stock.Store { return unguarded{s} }, false},
	}
}

// readModifyWrite checks whether an update may be applied, and applies it later to what it has read.
type readModifyWrite struct {
	stock.Store
	overwrite func(stock.Update, int64)
}

func (s readModifyWrite) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	p, err := read(ctx, s, u.ProductID)
	if err != nil {
		return stock.After{}, false, err
	}
	views, err := s.View(ctx, u.Owner, []string{u.ProductID}) // others get in between the two reads
	if err != nil {
		return stock.After{}, false, err
	}
	v := views[u.ProductID]
	if v.Mark != u.Was || u.Was == stock.NoMark && v.Epoch != u.Epoch || p.Available+u.Available < 0 {
		return stock.After{}, false, nil
	}
	runtime.Gosched() // a network would take far longer
	s.overwrite(u, p.Available)
	return stock.After{Epoch: v.Epoch, Marks: v.Marks}, true, nil
}

// noTombstone does not remember that an unknown order was released.
type noTombstone struct{ stock.Store }

func (s noTombstone) Insert(ctx context.Context, r stock.Reservation) error {
	if r.State == stock.Released {
		return nil
	}
	return s.Store.Insert(ctx, r)
}

// noEpoch treats every absent mark as never set.
type noEpoch struct{ stock.Store }

func (s noEpoch) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	if u.Was != stock.NoMark {
		return s.Store.Apply(ctx, u)
	}
	views, err := s.View(ctx, u.Owner, []string{u.ProductID})
	if err != nil {
		return stock.After{}, false, err
	}
	u.Epoch = views[u.ProductID].Epoch
	return s.Store.Apply(ctx, u)
}

// noMark does not remember on the product that an order must not take any more.
type noMark struct{ stock.Store }

func (s noMark) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	if u.Set == stock.MarkTombstone && u.Was == stock.NoMark && u.Available == 0 {
		return stock.After{Epoch: u.Epoch}, true, nil
	}
	return s.Store.Apply(ctx, u)
}

// unguarded changes a reservation in any state.
type unguarded struct{ stock.Store }

func (s unguarded) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	r, err := s.Reservation(ctx, c.ID)
	if err != nil {
		return stock.Reservation{}, false, err
	}
	c.From = r.State
	return s.Store.Change(ctx, c)
}
