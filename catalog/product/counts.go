package product

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
)

// CountAge is how old the count of a filter's products may be, unless counting takes long: then it may be countCost times
// as old as counting took, up to countAgeLimit, so that a large shelf is not counted all the time. Every answer says when
// it was counted.
const (
	CountAge      = 5 * time.Second
	countAgeLimit = 5 * time.Minute
	countCost     = 400
)

// Known counts are taken again in the background, one at a time, with pauses of countPause times as long as it took, up to
// longestPause. Where so many filters are busy that a count grows too old before its turn comes, somebody waits for it.
const (
	countPause   = 4
	longestPause = 10 * time.Second
)

// manyProducts is how many products make a count that is left to grow old when a product changes. Smaller counts are
// taken again at once, because one product more or less is seen on a page, and cheap.
const manyProducts = 1000

// maxCounts bounds the memory: some 200 bytes each.
const maxCounts = 1000

// counts remembers how many products pass filters.
type counts struct {
	cache *otter.Cache[filterKey, count]
	least time.Duration // that a count may be old
	take  func(context.Context, Filter) (int64, error)
	again chan struct{} // is full while no known count may be taken again
}

type count struct {
	n    int64
	at   time.Time // when counting began
	took time.Duration
}

func newCounts(least time.Duration, again chan struct{}, take func(context.Context, Filter) (int64, error)) *counts {
	c := &counts{least: least, take: take, again: again}
	c.cache = otter.Must(&otter.Options[filterKey, count]{
		MaximumSize:       maxCounts,
		RefreshCalculator: otter.RefreshWritingFunc(func(e otter.Entry[filterKey, count]) time.Duration { return c.age(e.Value) / 2 }),
	})
	return c
}

// age is how old a count may become. From half of that on it is taken again while the old one is still used.
func (c *counts) age(known count) time.Duration {
	return min(max(c.least, countCost*known.took), countAgeLimit)
}

// of returns how many products pass the filter, as counted lately; see CountAge.
func (c *counts) of(ctx context.Context, f Filter) (count, error) {
	c.cache.ComputeIfPresent(f.key(), func(known count) (count, otter.ComputeOp) {
		if time.Since(known.at) < c.age(known) {
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

// Reload implements otter.Loader. Many filters may have become old at once; counting them all at once, or without a pause,
// would leave the store little time for pages.
func (c counter) Reload(ctx context.Context, key filterKey, old count) (count, error) {
	c.counts.again <- struct{}{}
	if known, ok := c.counts.cache.GetEntryQuietly(key); !ok || known.Value != old { // forgotten while this waited for its turn
		<-c.counts.again
		if ok {
			return known.Value, nil
		}
		return old, nil
	}
	began := time.Now()
	defer func() {
		time.AfterFunc(min(countPause*time.Since(began), longestPause), func() { <-c.counts.again })
	}()
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
	k := filterKey{f.Category, strings.Join(slices.Sorted(slices.Values(f.Words)), " "), -1, -1}
	if f.MinPrice != nil {
		k.min = *f.MinPrice
	}
	if f.MaxPrice != nil {
		k.max = *f.MaxPrice
	}
	return k
}
