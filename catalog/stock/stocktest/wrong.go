package stocktest

import (
	"context"
	"runtime"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Wrong is a store as it must not be, over a right one. The zero value is the right one.
type Wrong struct {
	wrap func(stock.Store) stock.Store
	// torn says that others get in between the operations on the right store that one of this store consists of.
	// Otherwise each is atomic, so that also what lands late is done in the wrong way.
	torn bool
}

// Over returns the wrong store over a right one.
func (w Wrong) Over(right stock.Store) stock.Store {
	if w.wrap == nil {
		return right
	}
	return w.wrap(right)
}

// WrongStores are the wrong stores by what they do. Playing against any of them must find a broken promise: that shows
// that the checks see what they claim to see. overwrite is what memory.Store's Overwrite does.
func WrongStores(overwrite func(stock.Update, stock.Counters)) map[string]Wrong {
	return map[string]Wrong{
		"reads, modifies and writes": {func(s stock.Store) stock.Store { return readModifyWrite{s, overwrite} }, true},
		"keeps no tombstone":         {func(s stock.Store) stock.Store { return noTombstone{s} }, false},
		"ignores the epoch":          {func(s stock.Store) stock.Store { return noEpoch{s} }, false},
		"bars nothing":               {func(s stock.Store) stock.Store { return noBar{s} }, false},
		"changes unguarded":          {func(s stock.Store) stock.Store { return unguarded{s} }, false},
	}
}

// readModifyWrite looks whether an update may be applied, and applies it later to what it saw.
type readModifyWrite struct {
	stock.Store
	overwrite func(stock.Update, stock.Counters)
}

func (s readModifyWrite) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	c, err := s.Counters(ctx, u.ProductID)
	if err != nil {
		return stock.Applied{}, false, err
	}
	views, err := s.View(ctx, u.Reservation, []string{u.ProductID})
	if err != nil {
		return stock.Applied{}, false, err
	}
	v := views[u.ProductID]
	if v.Mark != u.Want || u.Want == stock.NoMark && v.Epoch != u.Epoch || c.Available+u.Available < 0 {
		return stock.Applied{}, false, nil
	}
	runtime.Gosched() // a network would take far longer
	s.overwrite(u, c)
	return stock.Applied{Epoch: v.Epoch, Marks: v.Marks}, true, nil
}

// noTombstone forgets that an unknown order was released.
type noTombstone struct{ stock.Store }

func (s noTombstone) Insert(ctx context.Context, r stock.Reservation) error {
	if r.State == stock.Released {
		return nil
	}
	return s.Store.Insert(ctx, r)
}

// noEpoch takes every absent mark for one that never was.
type noEpoch struct{ stock.Store }

func (s noEpoch) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	if u.Want != stock.NoMark {
		return s.Store.Apply(ctx, u)
	}
	views, err := s.View(ctx, u.Reservation, []string{u.ProductID})
	if err != nil {
		return stock.Applied{}, false, err
	}
	u.Epoch = views[u.ProductID].Epoch
	return s.Store.Apply(ctx, u)
}

// noBar does not remember that an order must not take any more.
type noBar struct{ stock.Store }

func (s noBar) Apply(ctx context.Context, u stock.Update) (stock.Applied, bool, error) {
	if u.Set == stock.MarkBar && u.Want == stock.NoMark {
		return stock.Applied{Epoch: u.Epoch}, true, nil
	}
	return s.Store.Apply(ctx, u)
}

// unguarded changes a reservation whatever its state.
type unguarded struct{ stock.Store }

func (s unguarded) Change(ctx context.Context, c stock.Change) (stock.Reservation, bool, error) {
	r, err := s.Reservation(ctx, c.ID)
	if err != nil {
		return stock.Reservation{}, false, err
	}
	c.From = r.State
	return s.Store.Change(ctx, c)
}
