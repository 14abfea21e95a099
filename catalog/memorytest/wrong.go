package memorytest

import (
	"context"
	"maps"
	"runtime"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Wrong is one way in which a store can misbehave.
type Wrong struct {
	Over func(right stock.Store) stock.Store // returns the wrong store over a right one
	// Torn says that other calls can get in between the operations on the right store that make up one operation of this
	// store. Otherwise each operation is atomic, and one that lands late is wrong in the same way.
	Torn bool
}

// WrongStores are ways to misbehave, by what such a store does. Tests of the stock protocol must catch each of them over
// this store, which shows that they can.
func (s *Store) WrongStores() map[string]Wrong {
	wrong := map[string]Wrong{
		"reads, modifies and writes": {func(right stock.Store) stock.Store { return readModifyWrite{right, s} }, true},
		"keeps no tombstone":         {func(right stock.Store) stock.Store { return noTombstone{right} }, false},
		"ignores the epoch":          {func(right stock.Store) stock.Store { return noEpoch{right} }, false},
		"marks no tombstone":         {func(right stock.Store) stock.Store { return noMark{right} }, false},
		"changes unguarded":          {func(right stock.Store) stock.Store { return unguarded{right} }, false},
	}
	maps.Copy(wrong, s.wrongReturns())
	return wrong
}

// readModifyWrite checks whether an update may be applied, and applies it later to what it has read.
type readModifyWrite struct {
	stock.Store
	memory *Store
}

func (s readModifyWrite) Apply(ctx context.Context, u stock.Update) (stock.After, bool, error) {
	read, err := s.Snapshots(ctx, []string{u.ProductID})
	if err != nil {
		return stock.After{}, false, err
	}
	v, err := view(ctx, s, u) // others get in between the two reads
	available := read[u.ProductID].Available
	if err != nil || v.Mark != u.Was || u.Was == stock.NoMark && v.Epoch != u.Epoch || available+u.Available < 0 {
		return stock.After{}, false, err
	}
	runtime.Gosched() // a network would take far longer
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	p := s.memory.products[u.ProductID]
	p.Available = available
	p.apply(u)
	return stock.After{Epoch: v.Epoch, Marks: v.Marks}, true, nil
}

func view(ctx context.Context, s stock.Store, u stock.Update) (stock.View, error) {
	views, err := s.View(ctx, u.Owner, []string{u.ProductID})
	return views[u.ProductID], err
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
	if u.Was == stock.NoMark {
		v, err := view(ctx, s, u)
		if err != nil {
			return stock.After{}, false, err
		}
		u.Epoch = v.Epoch
	}
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
	c.From, c.Generation = r.State, r.Generation()
	return s.Store.Change(ctx, c)
}
