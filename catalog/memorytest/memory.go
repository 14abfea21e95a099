// Package memorytest keeps the catalog in memory, for tests. It keeps the same contract as the real store (package storetest
// checks both), needs no server, and can misbehave.
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
}

// New returns an empty store.
func New() *Store {
	return &Store{
		products:     map[string]*stored{},
		reservations: map[string]stock.Reservation{},
		adjustments:  map[string]stock.Adjustment{},
	}
}

// insert stores a new document.
func insert[T any](s *Store, documents map[string]T, id string, d T) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := documents[id]; ok {
		return stock.ErrExists
	}
	documents[id] = d
	return nil
}

// get returns the document with this ID.
func get[T any](s *Store, documents map[string]T, id string) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := documents[id]
	if !ok {
		return d, stock.ErrNotFound
	}
	return d, nil
}

// find returns the documents that match, in no order.
func find[T any](s *Store, documents map[string]T, matches func(T) bool) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []T
	for _, d := range documents {
		if matches(d) {
			found = append(found, d)
		}
	}
	return found
}

// Insert implements stock.Store.
func (s *Store) Insert(_ context.Context, r stock.Reservation) error {
	r.Lines = slices.Clone(r.Lines)
	return insert(s, s.reservations, r.ID, r)
}

// Reservation implements stock.Store.
func (s *Store) Reservation(_ context.Context, id string) (stock.Reservation, error) {
	return get(s, s.reservations, id)
}

// Change implements stock.Store.
func (s *Store) Change(_ context.Context, c stock.Change) (stock.Reservation, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.reservations[c.ID]
	if !ok || r.State != c.From || r.Generation() != c.Generation ||
		!c.UnexpiredAt.IsZero() && !r.ExpiresAt.After(c.UnexpiredAt) {
		return stock.Reservation{}, false, nil
	}
	r.State, r.UpdatedAt = c.To, c.At
	r.Steps = append(slices.Clip(r.Steps), stock.Step{To: c.To, At: c.At})
	if c.To == stock.Releasing {
		r.From, r.Why, r.Shortages = c.From, c.Why, slices.Clone(c.Shortages)
	}
	if c.Return != nil {
		r.Returns = append(slices.Clip(r.Returns), *c.Return)
	}
	s.reservations[c.ID] = r
	return r, true, nil
}

// Due implements stock.Store.
func (s *Store) Due(_ context.Context, q stock.Due) ([]stock.Reservation, error) {
	out := find(s, s.reservations, func(r stock.Reservation) bool { return due(r, q) })
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

// InsertAdjustment implements stock.Store.
func (s *Store) InsertAdjustment(_ context.Context, a stock.Adjustment) error {
	return insert(s, s.adjustments, a.ID, a)
}

// Adjustment implements stock.Store.
func (s *Store) Adjustment(_ context.Context, id string) (stock.Adjustment, error) {
	return get(s, s.adjustments, id)
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

// PendingAdjustments implements stock.Store.
func (s *Store) PendingAdjustments(_ context.Context, since time.Time, limit int) ([]string, error) {
	var out []string
	for _, a := range find(s, s.adjustments, func(a stock.Adjustment) bool {
		return a.State == stock.Pending && !a.UpdatedAt.After(since)
	}) {
		out = append(out, a.ID)
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// FinalMarks implements stock.Store.
func (s *Store) FinalMarks(_ context.Context, productID string, owners []string) (map[string]stock.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.Mark{}
	for _, id := range owners {
		if r, ok := s.reservations[id]; ok {
			out[id] = r.Mark(productID)
		} else if a, ok := s.adjustments[id]; ok {
			out[id] = a.State.Mark()
		}
	}
	return out, nil
}

// read returns something of each of the products that exist.
func read[T any](s *Store, ids []string, of func(*stored) T) map[string]T {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]T{}
	for _, id := range ids {
		if p, ok := s.products[id]; ok {
			out[id] = of(p)
		}
	}
	return out
}

// View implements stock.Store.
func (s *Store) View(_ context.Context, owner string, productIDs []string) (map[string]stock.View, error) {
	return read(s, productIDs, func(p *stored) stock.View { return p.View(owner) }), nil
}

// Snapshots implements stock.Store.
func (s *Store) Snapshots(_ context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	return read(s, productIDs, func(p *stored) stock.Snapshot {
		snapshot := p.Snapshot
		snapshot.Marks = maps.Clone(p.Marks)
		return snapshot
	}), nil
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
	return stock.After{Epoch: p.Epoch, Marks: p.MarkCount}, true, nil
}

func (p *stored) allows(u stock.Update) bool {
	if p.Marks[u.Owner] != u.Was || u.Was == stock.NoMark && p.Epoch != u.Epoch {
		return false
	}
	return !u.Takes() || p.Available >= -u.Available && !p.Deleted && p.MarkCount < stock.MaxMarks
}

func (p *stored) apply(u stock.Update) {
	p.Available += u.Available
	p.Restocked += u.Restocked
	p.Marks[u.Owner] = u.Set
	p.MarkCount = len(p.Marks)
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
	p.MarkCount = len(p.Marks)
	p.Epoch++
	return true, nil
}

// ProductIDs implements stock.Store.
func (s *Store) ProductIDs(_ context.Context, after string, limit int) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.DeleteFunc(slices.Sorted(maps.Keys(s.products)), func(id string) bool { return id <= after })
	return ids[:min(len(ids), limit)], nil
}

// Reservations implements stock.Store.
func (s *Store) Reservations(
	_ context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error,
) error {
	wants := func(l stock.Line) bool { return slices.Contains(productIDs, l.ProductID) }
	return each(yield, find(s, s.reservations, func(r stock.Reservation) bool {
		return !r.UpdatedAt.Before(since) && slices.ContainsFunc(r.Lines, wants)
	}))
}

// Adjustments implements stock.Store.
func (s *Store) Adjustments(
	_ context.Context, productIDs []string, since time.Time, yield func(stock.Adjustment) error,
) error {
	return each(yield, find(s, s.adjustments, func(a stock.Adjustment) bool {
		return !a.UpdatedAt.Before(since) && slices.Contains(productIDs, a.ProductID)
	}))
}

// each yields the documents, without the lock.
func each[T any](yield func(T) error, found []T) error {
	for _, d := range found {
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}

var _ interface {
	stock.Store
	product.Store
} = (*Store)(nil)
