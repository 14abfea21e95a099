package product

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bojanz/currency"
	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// Store keeps products. It remembers deleted products, so that units can be given back to them and their IDs are not used
// again, but none of these methods returns them.
type Store interface {
	// CreateProduct stores a new product with p.Stock units, or returns ErrExists.
	CreateProduct(ctx context.Context, p Product) error
	// Product returns a product, or ErrNotFound.
	Product(ctx context.Context, id string) (Product, error)
	// Products returns those of the ids that exist.
	Products(ctx context.Context, ids []string) (map[string]Product, error)
	// ListProducts returns products that pass the filter, newest first.
	ListProducts(ctx context.Context, q Query) ([]Product, error)
	// CountProducts counts the products that pass the filter. It may stop counting at atMost, unless that is 0.
	CountProducts(ctx context.Context, f Filter, atMost int64) (int64, error)
	// ChangeProduct returns the product after the change, ErrNotFound, or ErrChanged.
	ChangeProduct(ctx context.Context, id string, p Patch, at time.Time) (Product, error)
	// DeleteProduct returns ErrOpenHolds while orders hold units of the product, ErrNotFound, or ErrChanged.
	DeleteProduct(ctx context.Context, id string, only Versions, at time.Time) error
}

// Service reads and changes products.
type Service struct {
	store  Store
	now    func() time.Time
	counts *counts
	rarity *counts // of single words; see mostSelective
}

// New returns a Service on the store; now is time.Now except in tests.
func New(store Store, now func() time.Time) *Service {
	turn := make(chan struct{}, 1)
	counting := func(minAge time.Duration, atMost int64) *counts {
		return newCounts(minAge, turn, func(ctx context.Context, f Filter) (int64, error) {
			return store.CountProducts(ctx, f, atMost)
		})
	}
	return &Service{store: store, now: now, counts: counting(CountAge, 0), rarity: counting(countAgeLimit, commonWord)}
}

// Create adds a product with an initial stock. If the ID is empty, Create makes one. Errors: ErrExists, also for the ID of a
// deleted product; ErrCurrency.
func (s *Service) Create(ctx context.Context, p Product) (Product, error) {
	if err := checkCurrency(p.Price.Currency); err != nil {
		return Product{}, err
	}
	if p.ID == "" {
		p.ID = uuid.Must(uuid.NewV7()).String()
	}
	p.Category = norm.NFC.String(p.Category)
	p.CreatedAt = s.now().UTC().Truncate(time.Millisecond) // the precision of the store
	p.UpdatedAt, p.Version = p.CreatedAt, 1
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

// List returns one page, from 1. Pages after the last one are empty.
func (s *Service) List(ctx context.Context, f Filter, page, limit int) (Page, error) {
	return s.list(ctx, Query{Filter: f, Skip: (page - 1) * limit, Limit: limit}, page)
}

// ListBefore returns what follows a product in the listing, at any depth as fast as the first page. number is the product's
// Number.
func (s *Service) ListBefore(ctx context.Context, f Filter, number int64, limit int) (Page, error) {
	return s.list(ctx, Query{Filter: f, Before: number, Limit: limit}, 0)
}

func (s *Service) list(ctx context.Context, q Query, page int) (Page, error) {
	q.Category = norm.NFC.String(q.Category)
	q.Filter = s.mostSelective(ctx, q.Filter)
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

// commonWord is in how many products a word is common. Counting stops there.
const commonWord = 10_000

// rankedWords is how many words of a search are ranked.
const rankedWords = 5

// mostSelective picks the condition of a filter to look up in an index: the rarest word, or the rest of the filter if all
// words are common and the rest is not. The store checks the other conditions on the results. It only affects speed, so
// errors are ignored.
func (s *Service) mostSelective(ctx context.Context, f Filter) Filter {
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
	byRarity := func(a, b string) int { return cmp.Compare(products[a], products[b]) }
	f.Words = append(slices.SortedStableFunc(slices.Values(ranked), byRarity), f.Words[len(ranked):]...)
	if products[f.Words[0]] < commonWord || f.Category == "" && !f.Priced() {
		return f
	}
	rest := f
	rest.Words = nil
	c, err := s.counts.of(ctx, rest)
	f.WordsLast = err == nil && c.n < 10*commonWord
	return f
}

// Change sets some details of a product. Errors: ErrNotFound, ErrCurrency, ErrChanged.
func (s *Service) Change(ctx context.Context, id string, p Patch) (Product, error) {
	if p.Price != nil {
		if err := checkCurrency(p.Price.Currency); err != nil {
			return Product{}, err
		}
	}
	if p.Category != nil {
		category := norm.NFC.String(*p.Category)
		p.Category = &category
	}
	changed, err := s.store.ChangeProduct(ctx, id, p, s.now().UTC().Truncate(time.Millisecond))
	if err != nil {
		return Product{}, fmt.Errorf("change product %s: %w", id, err)
	}
	s.counts.changed() // it may pass other filters than before
	return changed, nil
}

// Delete removes a product from sale. Orders that have bought it can still give it back. Errors: ErrOpenHolds while orders
// hold units; ErrNotFound; ErrChanged.
func (s *Service) Delete(ctx context.Context, id string, only Versions) error {
	if err := s.store.DeleteProduct(ctx, id, only, s.now().UTC().Truncate(time.Millisecond)); err != nil {
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
