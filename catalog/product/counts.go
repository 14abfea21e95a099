package product

import (
	"context"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
)

// CountAge is how old the count of a filter's products may be, unless counting takes long: then it may be countCost times
// as old as counting took, so that a shelf of a million products, which some stores count for a second or more, is not
// counted all the time. Every answer says when it was counted.
const (
	CountAge  = 5 * time.Second
	countCost = 40
)

// manyProducts is how many products make a count that is left to grow old when a product changes. Smaller counts are
// taken again at once, because one product more or less is seen on a page, and cheap.
const manyProducts = 1000

// maxCounts bounds the memory: some 200 bytes each.
const maxCounts = 1000

// counts remembers how many products pass filters.
type counts struct {
	cache *otter.Cache[filterKey, count]
	take  func(context.Context, Filter) (int64, error)
	again chan struct{} // is full while a known count is taken again, for which nobody waits: one at a time
}

type count struct {
	n    int64
	at   time.Time // when counting began
	took time.Duration
}

// age is how old the count may become. From half of that on it is taken again while the old one is still used: nobody
// waits for the count of a filter that is asked for all the time, and it is taken once at a time.
func (c count) age() time.Duration { return max(CountAge, countCost*c.took) }

func newCounts(take func(context.Context, Filter) (int64, error)) *counts {
	return &counts{otter.Must(&otter.Options[filterKey, count]{
		MaximumSize:       maxCounts,
		RefreshCalculator: otter.RefreshWritingFunc(func(e otter.Entry[filterKey, count]) time.Duration { return e.Value.age() / 2 }),
	}), take, make(chan struct{}, 1)}
}

// of returns how many products pass the filter, as counted lately; see CountAge.
func (c *counts) of(ctx context.Context, f Filter) (count, error) {
	c.cache.ComputeIfPresent(f.key(), func(known count) (count, otter.ComputeOp) {
		if time.Since(known.at) < known.age() {
			return known, otter.CancelOp
		}
		return known, otter.InvalidateOp
	})
	return c.cache.Get(ctx, f.key(), counter{c, f})
}

// counter counts what passes a filter.
type counter struct {
	counts *counts
	filter Filter
}

// Load implements otter.Loader.
func (c counter) Load(ctx context.Context, _ filterKey) (count, error) {
	began := time.Now()
	n, err := c.counts.take(ctx, c.filter)
	return count{n, began, time.Since(began)}, err
}

// Reload implements otter.Loader. Many filters may have become old at once; counting them all at once would leave the
// store little time for pages.
func (c counter) Reload(ctx context.Context, key filterKey, _ count) (count, error) {
	select {
	case c.counts.again <- struct{}{}:
	case <-ctx.Done():
		return count{}, ctx.Err()
	}
	defer func() { <-c.counts.again }()
	return c.Load(ctx, key)
}

// changed forgets the counts in which the change of one product shows.
func (c *counts) changed() {
	for key, known := range c.cache.All() {
		if known.n < manyProducts {
			c.cache.Invalidate(key)
		}
	}
}

// filterKey is a Filter that can be compared; -1 means no bound.
type filterKey struct {
	category string
	words    string
	min, max int64
}

func (f Filter) key() filterKey {
	k := filterKey{f.Category, strings.Join(f.Words, " "), -1, -1}
	if f.MinPrice != nil {
		k.min = *f.MinPrice
	}
	if f.MaxPrice != nil {
		k.max = *f.MaxPrice
	}
	return k
}
