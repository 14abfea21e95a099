package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"ordersaga/catalog/product"
)

// largeListings is about a shelf that is too large to be sorted for each page. Of its products, garden is one in a
// hundred, and cellar has only old ones.
func largeListings(t *testing.T, s Store) {
	const all, workers = 1600, 8
	category := func(i int) string {
		switch {
		case i < 800:
			return "cellar"
		case i%100 == 0:
			return "garden"
		}
		return "kitchen"
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < all; i += workers {
				p := sample(fmt.Sprintf("p%04d", i))
				p.Category = category(i)
				create(t, s, p)
			}
		})
	}
	wg.Wait()
	for _, c := range []string{"", "cellar", "garden", "kitchen"} {
		f := product.Filter{Category: c}
		// The number of matches is only about right: listings must not rely on it.
		for _, matches := range []int64{must[int64](t)(s.CountProducts(t.Context(), f)), 100_000} {
			equal(t, fmt.Sprintf("%q read by pages", c), readAll(t, s, f, matches, false), readAll(t, s, f, 0, true))
			equal(t, fmt.Sprintf("%q read by cursor", c), readAll(t, s, f, matches, true), readAll(t, s, f, 0, true))
		}
	}
}

// readAll reads a listing page by page and checks its order.
func readAll(t *testing.T, s Store, f product.Filter, matches int64, byCursor bool) []string {
	t.Helper()
	const limit = 60
	var numbers []int64
	var ids []string
	q := product.Query{Filter: f, Matches: matches, Limit: limit}
	for range 100 {
		page := must[[]product.Product](t)(s.ListProducts(t.Context(), q))
		for _, p := range page {
			numbers, ids = append(numbers, -p.Number), append(ids, p.ID)
		}
		if len(page) < limit {
			break
		}
		if byCursor {
			q.Before = page[limit-1].Number
		} else {
			q.Skip += limit
		}
	}
	if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
		t.Errorf("%+v: not newest first, each once", f)
	}
	return ids
}
