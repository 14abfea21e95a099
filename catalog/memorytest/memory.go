// Package memorytest keeps the catalog in memory, for tests: the same contract as the real store (package storetest checks
// both), with nothing to start and a look inside.
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
	products     map[string]*Product
	reservations map[string]stock.Reservation
	number       int64 // of the newest product
}

// Product is a product as it is stored.
type Product struct {
	product.Product
	stock.Counters
	Epoch   int64
	Marks   map[string]stock.Mark
	Deleted bool
}

// New returns an empty store.
func New() *Store {
	return &Store{products: map[string]*Product{}, reservations: map[string]stock.Reservation{}}
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
	return out[:min(len(out), q.Limit)], nil
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

// View implements stock.Store.
func (s *Store) View(_ context.Context, reservationID string, productIDs []string) (map[string]stock.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.View{}
	for _, id := range productIDs {
		if p, ok := s.products[id]; ok {
			out[id] = stock.View{
				Available: p.Available, Epoch: p.Epoch, Mark: p.Marks[reservationID], Marks: len(p.Marks), Deleted: p.Deleted,
			}
		}
	}
	return out, nil
}

// Apply implements stock.Store.
func (s *Store) Apply(_ context.Context, u stock.Update) (stock.Applied, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[u.ProductID]
	if !ok || !p.allows(u) {
		return stock.Applied{}, false, nil
	}
	p.apply(u)
	return stock.Applied{Epoch: p.Epoch, Marks: len(p.Marks)}, true, nil
}

func (p *Product) allows(u stock.Update) bool {
	if p.Marks[u.Reservation] != u.Want || u.Want == stock.NoMark && p.Epoch != u.Epoch {
		return false
	}
	return !u.Takes() || p.Available >= -u.Available && !p.Deleted && len(p.Marks) < stock.MaxMarks
}

func (p *Product) apply(u stock.Update) {
	p.Available += u.Available
	p.Held += u.Held
	p.Sold += u.Sold
	p.Restocked += u.Restocked
	p.Marks[u.Reservation] = u.Set
}

// Marks implements stock.Store.
func (s *Store) Marks(_ context.Context, productID string) (map[string]stock.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[productID]
	if !ok {
		return nil, stock.ErrProduct
	}
	return maps.Clone(p.Marks), nil
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

// Counters implements stock.Store.
func (s *Store) Counters(_ context.Context, productID string) (stock.Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[productID]
	if !ok {
		return stock.Counters{}, stock.ErrProduct
	}
	c := p.Counters
	c.Marks = len(p.Marks)
	return c, nil
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

// Snapshots implements stock.Ledger.
func (s *Store) Snapshots(_ context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]stock.Snapshot{}
	for _, id := range productIDs {
		if p, ok := s.products[id]; ok {
			c := p.Counters
			c.Marks = len(p.Marks)
			out[id] = stock.Snapshot{Counters: c, Epoch: p.Epoch, Standing: maps.Clone(p.Marks)}
		}
	}
	return out, nil
}

// Wanting implements stock.Ledger.
func (s *Store) Wanting(_ context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error) error {
	wants := func(l stock.Line) bool { return slices.Contains(productIDs, l.ProductID) }
	s.mu.Lock()
	var found []stock.Reservation
	for _, r := range s.reservations {
		if !r.UpdatedAt.Before(since) && slices.ContainsFunc(r.Lines, wants) {
			found = append(found, r)
		}
	}
	s.mu.Unlock()
	for _, r := range found {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// Inspect calls look with everything that is stored, which must not be changed or kept.
func (s *Store) Inspect(look func(products map[string]*Product, reservations map[string]stock.Reservation)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look(s.products, s.reservations)
}

// Overwrite applies an update to a product without looking at its guard, on counters as they were read earlier: what a
// read-modify-write would do. It is for tests that show that tests see that.
func (s *Store) Overwrite(u stock.Update, read stock.Counters) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.products[u.ProductID]
	p.Available, p.Held, p.Sold, p.Restocked = read.Available, read.Held, read.Sold, read.Restocked
	p.apply(u)
}

var _ interface {
	stock.Ledger
	product.Store
} = (*Store)(nil)
