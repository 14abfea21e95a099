package memorytest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// CreateProduct implements product.Store.
func (s *Store) CreateProduct(_ context.Context, p product.Product) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.products[p.ID]; ok {
		return product.ErrExists
	}
	s.number++
	p.Number = s.number
	s.products[p.ID] = &stored{Product: p, Snapshot: stock.Snapshot{
		Counters: stock.Counters{ProductID: p.ID, Available: p.Stock, Initial: p.Stock},
		Marks:    map[string]stock.Mark{},
	}}
	return nil
}

// Product implements product.Store.
func (s *Store) Product(ctx context.Context, id string) (product.Product, error) {
	found, err := s.Products(ctx, []string{id})
	p, ok := found[id]
	if !ok {
		err = product.ErrNotFound
	}
	return p, err
}

func (p *stored) shown() product.Product {
	out := p.Product
	out.Stock = p.Available
	return out
}

// Products implements product.Store.
func (s *Store) Products(_ context.Context, ids []string) (map[string]product.Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]product.Product{}
	for _, id := range ids {
		if p, ok := s.products[id]; ok && !p.Deleted {
			out[id] = p.shown()
		}
	}
	return out, nil
}

// ListProducts implements product.Store.
func (s *Store) ListProducts(_ context.Context, q product.Query) ([]product.Product, error) {
	all := s.filtered(q.Filter)
	if q.Before > 0 {
		all = slices.DeleteFunc(all, func(p product.Product) bool { return p.Number >= q.Before })
	}
	all = all[min(q.Skip, len(all)):]
	return all[:min(q.Limit, len(all))], nil
}

// CountProducts implements product.Store.
func (s *Store) CountProducts(_ context.Context, f product.Filter, atMost int64) (int64, error) {
	n := int64(len(s.filtered(f)))
	if atMost > 0 {
		n = min(n, atMost)
	}
	return n, nil
}

func (s *Store) filtered(f product.Filter) []product.Product {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []product.Product
	for _, p := range s.products {
		if !p.Deleted && passes(f, p.Product) {
			out = append(out, p.shown())
		}
	}
	slices.SortFunc(out, func(a, b product.Product) int {
		return cmp.Compare(b.Number, a.Number)
	})
	return out
}

func passes(f product.Filter, p product.Product) bool {
	words := product.Words(p.Name)
	lacks := func(word string) bool { return !slices.Contains(words, word) }
	return (f.Category == "" || f.Category == p.Category) && !slices.ContainsFunc(f.Words, lacks) &&
		f.MinPrice <= p.Price.Amount && (f.Below == 0 || f.Below > p.Price.Amount)
}

// ChangeProduct implements product.Store.
func (s *Store) ChangeProduct(_ context.Context, id string, c product.Patch, at time.Time) (product.Product, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[id]
	if !ok || p.Deleted {
		return product.Product{}, product.ErrNotFound
	}
	if c.If != nil && !slices.Contains(c.If, p.Version) {
		return product.Product{}, product.ErrChanged
	}
	p.Version++
	set(&p.Name, c.Name)
	set(&p.Description, c.Description)
	set(&p.Category, c.Category)
	set(&p.Price, c.Price)
	p.UpdatedAt = at
	return p.shown(), nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// DeleteProduct implements product.Store.
func (s *Store) DeleteProduct(_ context.Context, id string, only product.Versions, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[id]
	if !ok || p.Deleted {
		return product.ErrNotFound
	}
	if only != nil && !slices.Contains(only, p.Version) {
		return product.ErrChanged
	}
	for _, r := range s.reservations {
		if due(r, stock.Due{States: stock.Expiring(), ProductID: id}) {
			return product.ErrOpenHolds
		}
	}
	p.Deleted, p.UpdatedAt = true, at
	return nil
}
