// Package memorytest keeps the catalog in memory, for tests. It keeps the same contract as the real store (package storetest
// checks both), needs no server, and can be tampered with.
package memorytest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// Store is a product.Store and a stock.Store.
type Store struct {
	mu           sync.Mutex
	products     map[string]*stored
	reservations map[string]stock.Reservation
	adjustments  map[string]stock.Adjustment
	number       int64 // of the newest product
}

// stored is a product's document.
type stored struct {
	product.Product
	stock.Snapshot
	deleted bool
}

// New returns an empty store.
func New() *Store {
	return &Store{
		products:     map[string]*stored{},
		reservations: map[string]stock.Reservation{},
		adjustments:  map[string]stock.Adjustment{},
	}
}

// Insert implements stock.Store.
func (s *Store) Insert(_ context.Context, r stock.Reservation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.reservations[r.ID]; ok {
		return stock.ErrExists
	}
	r.Lines = slices.Clone(r.Lines)
	s.reservations[r.ID] = r
	return nil
}

// Reservation implements stock.Store.
func (s *Store) Reservation(_ context.Context, id string) (stock.Reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reservations[id]
	if !ok {
		return stock.Reservation{}, stock.ErrNotFound
	}
	return r, nil
}

// Change implements stock.Store.
func (s *Store) Change(_ context.Context, c stock.Change) (stock.Reservation, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reservations[c.ID]
	if !ok || r.State != c.From || !c.UnexpiredAt.IsZero() && !r.ExpiresAt.After(c.UnexpiredAt) {
		return stock.Reservation{}, false, nil
	}
	r.State, r.UpdatedAt = c.To, c.At
	r.Steps = append(slices.Clip(r.Steps), stock.Step{To: c.To, At: c.At})
	if c.To == stock.Releasing {
		r.From, r.Why, r.Shortages = c.From, c.Why, slices.Clone(c.Shortages)
	}
	s.reservations[c.ID] = r
	return r, true, nil
}

// Due implements stock.Store.
func (s *Store) Due(_ context.Context, q stock.Due) ([]stock.Reservation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []stock.Reservation
	for _, r := range s.reservations {
		if due(r, q) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b stock.Reservation) int {
		return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), cmp.Compare(a.ID, b.ID))
	})
	if q.Limit > 0 {
		out = out[:min(len(out), q.Limit)]
	}
	return out, nil
}

func due(r stock.Reservation, q stock.Due) bool {
	wants := func(l stock.Line) bool { return l.ProductID == q.ProductID }
	return slices.Contains(q.States, r.State) &&
		(q.ExpiredBy.IsZero() || !r.ExpiresAt.After(q.ExpiredBy)) &&
		(q.UnchangedFor.IsZero() || !r.UpdatedAt.After(q.UnchangedFor)) &&
		(q.ProductID == "" || slices.ContainsFunc(r.Lines, wants))
}

// States implements stock.Store.
func (s *Store) States(_ context.Context, ids []string) (map[string]stock.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.State{}
	for _, id := range ids {
		if r, ok := s.reservations[id]; ok {
			out[id] = r.State
		}
	}
	return out, nil
}

// InsertAdjustment implements stock.Store.
func (s *Store) InsertAdjustment(_ context.Context, a stock.Adjustment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.adjustments[a.ID]; ok {
		return stock.ErrExists
	}
	s.adjustments[a.ID] = a
	return nil
}

// Adjustment implements stock.Store.
func (s *Store) Adjustment(_ context.Context, id string) (stock.Adjustment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.adjustments[id]
	if !ok {
		return stock.Adjustment{}, stock.ErrNotFound
	}
	return a, nil
}

// EndAdjustment implements stock.Store.
func (s *Store) EndAdjustment(
	_ context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.adjustments[id]
	if !ok || a.State != stock.Pending {
		return stock.Adjustment{}, false, nil
	}
	a.State, a.Available, a.UpdatedAt = to, available, at
	s.adjustments[id] = a
	return a, true, nil
}

// AdjustmentStates implements stock.Store.
func (s *Store) AdjustmentStates(_ context.Context, ids []string) (map[string]stock.AdjustmentState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.AdjustmentState{}
	for _, id := range ids {
		if a, ok := s.adjustments[id]; ok {
			out[id] = a.State
		}
	}
	return out, nil
}

// PendingAdjustments implements stock.Store.
func (s *Store) PendingAdjustments(_ context.Context, since time.Time, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, a := range s.adjustments {
		if a.State == stock.Pending && !a.UpdatedAt.After(since) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// View implements stock.Store.
func (s *Store) View(_ context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.View{}
	for _, id := range productIDs {
		if p, ok := s.products[id]; ok {
			out[id] = stock.View{
				Available: p.Available, Epoch: p.Epoch, Mark: p.Marks[owner], Marks: len(p.Marks), Deleted: p.deleted,
			}
		}
	}
	return out, nil
}

// Apply implements stock.Store.
func (s *Store) Apply(_ context.Context, u stock.Update) (stock.After, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[u.ProductID]
	if !ok || !p.allows(u) {
		return stock.After{}, false, nil
	}
	p.apply(u)
	return stock.After{Epoch: p.Epoch, Marks: len(p.Marks)}, true, nil
}

func (p *stored) allows(u stock.Update) bool {
	if p.Marks[u.Owner] != u.Was || u.Was == stock.NoMark && p.Epoch != u.Epoch {
		return false
	}
	return !u.Takes() || p.Available >= -u.Available && !p.deleted && len(p.Marks) < stock.MaxMarks
}

func (p *stored) apply(u stock.Update) {
	p.Available += u.Available
	p.Restocked += u.Restocked
	p.Marks[u.Owner] = u.Set
}

// Prune implements stock.Store.
func (s *Store) Prune(_ context.Context, productID string, marks map[string]stock.Mark) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[productID]
	if !ok {
		return false, nil
	}
	for id, mark := range marks {
		if p.Marks[id] != mark {
			return false, nil
		}
	}
	for id := range marks {
		delete(p.Marks, id)
	}
	p.Epoch++
	return true, nil
}

// Snapshots implements stock.Store.
func (s *Store) Snapshots(_ context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.Snapshot{}
	for _, id := range productIDs {
		if p, ok := s.products[id]; ok {
			read := p.Snapshot
			read.MarkCount, read.Marks = len(p.Marks), maps.Clone(p.Marks)
			out[id] = read
		}
	}
	return out, nil
}

// ProductIDs implements stock.Ledger.
func (s *Store) ProductIDs(_ context.Context, after string, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id := range s.products {
		if id > after {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// Reservations implements stock.Ledger.
func (s *Store) Reservations(
	_ context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error,
) error {
	wants := func(l stock.Line) bool { return slices.Contains(productIDs, l.ProductID) }
	return each(s, s.reservations, func(r stock.Reservation) bool {
		return !r.UpdatedAt.Before(since) && slices.ContainsFunc(r.Lines, wants)
	}, yield)
}

// Adjustments implements stock.Ledger.
func (s *Store) Adjustments(
	_ context.Context, productIDs []string, since time.Time, yield func(stock.Adjustment) error,
) error {
	return each(s, s.adjustments, func(a stock.Adjustment) bool {
		return !a.UpdatedAt.Before(since) && slices.Contains(productIDs, a.ProductID)
	}, yield)
}

// each yields the documents that match, without the lock.
func each[T any](s *Store, documents map[string]T, matches func(T) bool, yield func(T) error) error {
	s.mu.Lock()
	var found []T
	for _, d := range documents {
		if matches(d) {
			found = append(found, d)
		}
	}
	s.mu.Unlock()
	for _, d := range found {
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}

// Overwrite applies an update to a product without checking its guard, on an old count of available units: what a
// read-modify-write would do. With it, tests show that they catch a wrong store.
func (s *Store) Overwrite(u stock.Update, available int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.products[u.ProductID]
	p.Available = available
	p.apply(u)
}

var _ interface {
	stock.Ledger
	product.Store
} = (*Store)(nil)
