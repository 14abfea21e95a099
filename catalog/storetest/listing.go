package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"ordersaga/catalog/product"
)

// largeListings is about a shelf that is too large to be sorted for each page. Of its products, garden is one in a
// hundred, and cellar has only old ones. Prices are all over the place, and every seventh product is deleted.
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
		if err := s.DeleteProduct(t.Context(), fmt.Sprintf("p%04d", i), day); err != nil {
			t.Fatal(err)
		}
	}
	cheap, dear := int64(20), int64(980)
	for name, f := range map[string]product.Filter{
		"all": {}, "cellar": {Category: "cellar"}, "garden": {Category: "garden"}, "kitchen": {Category: "kitchen"},
		"cheap": {MaxPrice: &cheap}, "dear": {MinPrice: &dear}, "neither": {MinPrice: &cheap, MaxPrice: &dear},
		"dear, in the cellar": {Category: "cellar", MinPrice: &dear}, "lamps": {Words: []string{"lamp"}},
		"cheap lamps": {Words: []string{"lamp"}, MaxPrice: &cheap},
	} {
		matches := must[int64](t)(s.CountProducts(t.Context(), f))
		want := readAll(t, s, f, 0, true) // in one piece
		if matches == 0 || len(want) != int(matches) {
			t.Errorf("%s: %d products counted, %d listed", name, matches, len(want))
		}
		// The number of matches is only about right: listings must not rely on it.
		for _, about := range []int64{matches, 501, 100_000} {
			equal(t, name+", read by pages", readAll(t, s, f, about, false), want)
			equal(t, name+", read by cursor", readAll(t, s, f, about, true), want)
		}
	}
}

// readAll reads a listing page by page and checks its order.
func readAll(t *testing.T, s Store, f product.Filter, matches int64, byCursor bool) []string {
	t.Helper()
	const limit = 100
	var numbers []int64
	var ids []string
	q := product.Query{Filter: f, Matches: matches, AnyPrice: 10 * matches, Limit: limit}
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
