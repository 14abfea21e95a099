package product

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bojanz/currency"
	"github.com/google/uuid"
)

// Store keeps products. Deleted products are remembered, so that units can be given back to them and their IDs are not
// used again, but none of these methods finds them.
type Store interface {
	// CreateProduct stores a new product with p.Stock units, or returns ErrExists.
	CreateProduct(ctx context.Context, p Product) error
	// Product returns ErrNotFound when there is none.
	Product(ctx context.Context, id string) (Product, error)
	// Products returns those of the ids that exist.
	Products(ctx context.Context, ids []string) (map[string]Product, error)
	// ListProducts returns products that pass the filter, newest first.
	ListProducts(ctx context.Context, q Query) ([]Product, error)
	// CountProducts counts what passes the filter, up to a number at which it may stop; 0: all.
	CountProducts(ctx context.Context, f Filter, atMost int64) (int64, error)
	// ChangeProduct returns the product as it is afterwards, or ErrNotFound.
	ChangeProduct(ctx context.Context, id string, p Patch, at time.Time) (Product, error)
	// DeleteProduct returns ErrOpenHolds while units are held, and ErrNotFound.
	DeleteProduct(ctx context.Context, id string, at time.Time) error
}

// Service is the catalog's shelf: what can be seen and changed about products.
type Service struct {
	store  Store
	now    func() time.Time
	counts *counts
	rarity *counts // of single words, see easiest
}

// New returns a Service on the store; now is time.Now but in tests.
func New(store Store, now func() time.Time) *Service {
	again := make(chan struct{}, 1)
	counting := func(age time.Duration, atMost int64) *counts {
		return newCounts(age, again, func(ctx context.Context, f Filter) (int64, error) { return store.CountProducts(ctx, f, atMost) })
	}
	return &Service{store: store, now: now, counts: counting(CountAge, 0), rarity: counting(countAgeLimit, commonWord)}
}

// Create adds a product with an initial stock. An empty ID is replaced by a new one. Errors: ErrExists, also for the ID
// of a deleted product; ErrCurrency.
func (s *Service) Create(ctx context.Context, p Product) (Product, error) {
	if err := checkCurrency(p.Price.Currency); err != nil {
		return Product{}, err
	}
	if p.ID == "" {
		p.ID = uuid.Must(uuid.NewV7()).String()
	}
	p.CreatedAt = s.now().UTC().Truncate(time.Millisecond) // what the store keeps
	p.UpdatedAt = p.CreatedAt
	if err := s.store.CreateProduct(ctx, p); err != nil {
		return Product{}, fmt.Errorf("create product %s: %w", p.ID, err)
	}
	s.counts.changed()
	return p, nil
}

// Product returns one product, or ErrNotFound.
func (s *Service) Product(ctx context.Context, id string) (Product, error) {
	p, err := s.store.Product(ctx, id)
	if err != nil {
		return Product{}, fmt.Errorf("read product %s: %w", id, err)
	}
	return p, nil
}

// Products returns those of the ids that exist.
func (s *Service) Products(ctx context.Context, ids []string) (map[string]Product, error) {
	found, err := s.store.Products(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d products: %w", len(ids), err)
	}
	return found, nil
}

// List returns one page, from 1. Behind the last page it is empty.
func (s *Service) List(ctx context.Context, f Filter, page, limit int) (Page, error) {
	return s.list(ctx, Query{Filter: f, Skip: (page - 1) * limit, Limit: limit}, page)
}

// ListBefore returns what comes after a product in the listing: at any depth as fast as the first page. number is the
// Number of that product.
func (s *Service) ListBefore(ctx context.Context, f Filter, number int64, limit int) (Page, error) {
	return s.list(ctx, Query{Filter: f, Before: number, Limit: limit}, 0)
}

func (s *Service) list(ctx context.Context, q Query, page int) (Page, error) {
	q.Filter = s.easiest(ctx, q.Filter)
	total, err := s.counts.of(ctx, q.Filter)
	if err != nil {
		return Page{}, fmt.Errorf("count products: %w", err)
	}
	q.Matches = total.n
	products, err := s.store.ListProducts(ctx, q)
	if err != nil {
		return Page{}, fmt.Errorf("list products: %w", err)
	}
	return Page{Products: products, Total: total.n, Counted: total.at, Number: page, Limit: q.Limit}, nil
}

// commonWord is how many products make a word common. It is not looked how common.
const commonWord = 10_000

// rankedWords is how many words of a search are looked at.
const rankedWords = 5

// easiest says what of a filter a store had better look up, to see about the rest in what it finds: the rarest word, or,
// where all words are common and nothing else is, the rest of the filter. It is only about speed, so errors are no matter.
func (s *Service) easiest(ctx context.Context, f Filter) Filter {
	if len(f.Words) == 0 || len(f.Words) == 1 && f.Category == "" && !f.Priced() {
		return f
	}
	ranked := f.Words[:min(len(f.Words), rankedWords)]
	products := map[string]int64{}
	for _, w := range ranked {
		c, err := s.rarity.of(ctx, Filter{Words: []string{w}})
		if err != nil {
			return f
		}
		products[w] = c.n
	}
	rarestFirst := slices.SortedStableFunc(slices.Values(ranked), func(a, b string) int { return cmp.Compare(products[a], products[b]) })
	f.Words = append(rarestFirst, f.Words[len(ranked):]...)
	if products[f.Words[0]] < commonWord || f.Category == "" && !f.Priced() {
		return f
	}
	rest := f
	rest.Words = nil
	c, err := s.counts.of(ctx, rest)
	f.WordsLast = err == nil && c.n < 10*commonWord
	return f
}

// Replace sets all details of a product. Errors: ErrNotFound, ErrCurrency.
func (s *Service) Replace(ctx context.Context, id string, d Details) (Product, error) {
	return s.Change(ctx, id, Patch{Name: &d.Name, Description: &d.Description, Category: &d.Category, Price: &d.Price})
}

// Change sets some details of a product. Errors: ErrNotFound, ErrCurrency.
func (s *Service) Change(ctx context.Context, id string, p Patch) (Product, error) {
	if p.Price != nil {
		if err := checkCurrency(p.Price.Currency); err != nil {
			return Product{}, err
		}
	}
	changed, err := s.store.ChangeProduct(ctx, id, p, s.now().UTC().Truncate(time.Millisecond))
	if err != nil {
		return Product{}, fmt.Errorf("change product %s: %w", id, err)
	}
	s.counts.changed() // it may pass other filters now
	return changed, nil
}

// Delete takes a product off the shelf. Orders that bought it can still be given back. Errors: ErrOpenHolds while units
// are held for orders; ErrNotFound.
func (s *Service) Delete(ctx context.Context, id string) error {
	if err := s.store.DeleteProduct(ctx, id, s.now().UTC().Truncate(time.Millisecond)); err != nil {
		return fmt.Errorf("delete product %s: %w", id, err)
	}
	s.counts.changed()
	return nil
}

func checkCurrency(code string) error {
	if !currency.IsValid(code) {
		return fmt.Errorf("%w: %q", ErrCurrency, code)
	}
	return nil
}
