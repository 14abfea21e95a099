package product

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
)

// CountAge is how old the count of a filter's products may be. If counting takes long, the count may be countCost times as
// old as counting took, up to countAgeLimit, so that a large catalog is not counted all the time. Every page says when its
// products were counted.
const (
	CountAge      = 5 * time.Second
	countAgeLimit = 5 * time.Minute
	countCost     = 400
)

// Known counts are refreshed in the background, one at a time, with a pause after each of countPause times as long as it
// took, up to longestPause. If too many filters are busy, a count may get too old before its turn; then a caller waits.
const (
	countPause   = 4
	longestPause = 10 * time.Second
)

// manyProducts is from how many products on a count may grow old when a product changes. Smaller counts are taken again at
// once: one product more or less shows on a page, and counting is cheap.
const manyProducts = 1000

// maxCounts bounds the memory: about 200 bytes each.
const maxCounts = 1000

// counts remembers how many products pass filters.
type counts struct {
	cache  *otter.Cache[filterKey, count]
	minAge time.Duration // any count may get this old
	take   func(context.Context, Filter) (int64, error)
	turn   chan struct{} // full while one known count is being refreshed, and in the pause after it
}

type count struct {
	n    int64
	at   time.Time // when counting began
	took time.Duration
}

func newCounts(minAge time.Duration, turn chan struct{}, take func(context.Context, Filter) (int64, error)) *counts {
	c := &counts{minAge: minAge, take: take, turn: turn}
	c.cache = otter.Must(&otter.Options[filterKey, count]{
		MaximumSize:       maxCounts,
		RefreshCalculator: otter.RefreshWritingFunc(func(e otter.Entry[filterKey, count]) time.Duration { return c.age(e.Value) / 2 }),
	})
	return c
}

// age is how old a count may get. From half of that age on it is refreshed while it is still used.
func (c *counts) age(known count) time.Duration {
	return min(max(c.minAge, countCost*known.took), countAgeLimit)
}

// of returns how many products pass the filter; see CountAge.
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

// Reload implements otter.Loader. The counts of many filters may get old at the same time. Refreshing them all at once, or
// without pauses, would leave the store little time for pages.
func (c counter) Reload(ctx context.Context, key filterKey, old count) (count, error) {
	c.counts.turn <- struct{}{}
	if known, ok := c.counts.cache.GetEntryQuietly(key); !ok || known.Value != old { // invalidated while this waited for its turn
		<-c.counts.turn
		if ok {
			return known.Value, nil
		}
		return old, nil
	}
	began := time.Now()
	defer func() {
		time.AfterFunc(min(countPause*time.Since(began), longestPause), func() { <-c.counts.turn })
	}()
	return c.Load(ctx, key)
}

// changed drops the counts in which the change of one product shows.
func (c *counts) changed() {
	for key, known := range c.cache.All() {
		if known.n < manyProducts {
			c.cache.Invalidate(key)
		}
	}
}

// filterKey is a comparable Filter.
type filterKey struct {
	category, words string
	minPrice, below int64
}

func (f Filter) key() filterKey {
	return filterKey{f.Category, strings.Join(slices.Sorted(slices.Values(f.Words)), " "), f.MinPrice, f.Below}
}
