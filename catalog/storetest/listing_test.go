package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// largeListings lists more products than a page could sort each time. One product in a hundred is in the category garden,
// the cellar has only old ones, prices are spread, and every seventh product is deleted.
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
				p.Category, p.Price.Amount = category(i), int64(i*7919%1000)
				if i%3 == 0 {
					p.Name = "Lamp, No. " + fmt.Sprint(i)
				}
				create(t, s, p)
			}
		})
	}
	wg.Wait()
	for i := 0; i < all; i += 7 {
		if err := s.DeleteProduct(t.Context(), fmt.Sprintf("p%04d", i), nil, day); err != nil {
			t.Fatal(err)
		}
	}
	const cheap, dear = 20, 980
	for name, f := range map[string]product.Filter{
		"all": {}, "cellar": {Category: "cellar"}, "garden": {Category: "garden"}, "kitchen": {Category: "kitchen"},
		"cheap": {Below: cheap}, "dear": {MinPrice: dear}, "neither": {MinPrice: cheap, Below: dear},
		"dear, in the cellar": {Category: "cellar", MinPrice: dear}, "lamps": {Words: []string{"lamp"}},
		"kitchen lamps, words last": {Words: []string{"lamp"}, Category: "kitchen", WordsLast: true},
		"cheap lamps, words last":   {Words: []string{"lamp"}, Below: cheap, WordsLast: true},
		"cheap lamps":               {Words: []string{"lamp"}, Below: cheap}, "two words": {Words: []string{"lamp", "no"}},
	} {
		matches := must[int64](t)(s.CountProducts(t.Context(), f, 0))
		want := readAll(t, s, product.Query{Filter: f}, true)
		if matches < 2 || len(want) != int(matches) {
			t.Errorf("%s: %d products counted, %d listed", name, matches, len(want))
		}
		equal(t, name+", counted up to one less", must[int64](t)(s.CountProducts(t.Context(), f, matches-1)), matches-1)
		equal(t, name+", counted up to one more", must[int64](t)(s.CountProducts(t.Context(), f, matches+1)), matches)
		// Counts are approximate, so listings must not rely on them. These three lead to every way of listing.
		for _, about := range []int64{matches, 1, 1_000_000} {
			about := product.Query{Filter: f, Matches: about}
			equal(t, name+", read by pages", readAll(t, s, about, false), want)
			equal(t, name+", read by cursor", readAll(t, s, about, true), want)
		}
	}
}

// readAll reads a listing page by page and checks its order.
func readAll(t *testing.T, s Store, q product.Query, byCursor bool) []string {
	t.Helper()
	const limit = 100
	var numbers []int64
	var ids []string
	q.Limit = limit
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
		t.Errorf("%+v: not newest first, or not each once", q)
	}
	return ids
}
