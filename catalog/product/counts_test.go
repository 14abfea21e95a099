package product_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/internal/money"
)

const (
	countTime = 100 * time.Millisecond // how long slow takes to count its products
	maxAge    = 40 * time.Second       // how old counts may get because of that
)

// slow is a store that takes some time to count its products.
type slow struct {
	*memorytest.Store
	size, counted  atomic.Int64
	counting, most atomic.Int64 // concurrent counts: now, and at most
	last, shortest atomic.Int64 // when the last count began, and the shortest time between two counts
}

func (s *slow) CountProducts(context.Context, product.Filter, int64) (int64, error) {
	s.counted.Add(1)
	now := time.Now().UnixNano()
	s.shortest.Store(min(s.shortest.Load(), now-s.last.Swap(now)))
	s.most.Store(max(s.most.Load(), s.counting.Add(1)))
	defer s.counting.Add(-1)
	time.Sleep(countTime) // on the fake clock
	return s.size.Load(), nil
}

func TestALargeCountIsTakenRarelyAndIsNeverTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: memorytest.New()}
		s.size.Store(1_000_000)
		service := product.New(s, time.Now)
		list := func() (total int64, took time.Duration) {
			began := time.Now()
			page, err := service.List(t.Context(), product.Filter{}, 1, 10)
			if err != nil {
				t.Error(err)
			}
			if age := time.Since(page.Counted); age > maxAge {
				t.Errorf("counted %s ago", age)
			}
			return page.Total, time.Since(began)
		}
		for range 50 { // one counts for all of them
			go list()
		}
		synctest.Wait()
		list()
		if n := s.counted.Load(); n != 1 {
			t.Errorf("counted %d times", n)
		}
		s.size.Store(2_000_000)
		for range 1800 { // three minutes
			time.Sleep(100 * time.Millisecond)
			if _, took := list(); took > 0 {
				t.Fatalf("the list of a busy filter took %s", took)
			}
			if _, err := service.Create(t.Context(), product.Product{Price: money.Money{Currency: "EUR"}}); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.counted.Load(); n < 8 || n > 10 {
			t.Errorf("counted %d times in three minutes", n)
		}
		if total, _ := list(); total != 2_000_000 {
			t.Errorf("total %d", total)
		}
		time.Sleep(time.Minute)
		list() // the count is too old by now, so it is taken again
		synctest.Wait()
	})
}

// listAll lists a page of each of that many filters.
func listAll(t *testing.T, service *product.Service, filters int) {
	for n := range filters {
		if _, err := service.List(t.Context(), product.Filter{Category: fmt.Sprint(n)}, 1, 10); err != nil {
			t.Error(err)
		}
	}
}

func TestCountsOfManyFiltersAreRefreshedOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const filters = 5
		s := &slow{Store: memorytest.New()}
		s.size.Store(1_000_000)
		service := product.New(s, time.Now)
		listAll(t, service, filters)
		time.Sleep(maxAge / 2) // all counts are due for a refresh, and may get twice as old
		before := s.counted.Load()
		s.shortest.Store(int64(time.Hour))
		for range 300 { // half a minute
			began := time.Now()
			listAll(t, service, filters)
			if took := time.Since(began); took > 0 {
				t.Fatalf("the lists of busy filters took %s", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * filters * countTime) // for refreshes in progress or waiting for their turn
		if n := s.counted.Load() - before; n < filters || s.most.Load() != 1 {
			t.Errorf("%d filters: refreshed %d times, %d at once; want one at a time", filters, n, s.most.Load())
		}
		if d := time.Duration(s.shortest.Load()); d < 5*countTime {
			t.Errorf("a pause of %s between counts; want four times the time of a count", d-countTime)
		}
	})
}

func TestInvalidatedCountsAreNotRefreshed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const filters = 50
		s := &slow{Store: memorytest.New()}
		s.size.Store(10)
		service := product.New(s, time.Now)
		listAll(t, service, filters)
		time.Sleep(maxAge / 2)
		listAll(t, service, filters) // all wait for their refresh
		if _, err := service.Create(t.Context(), product.Product{Price: money.Money{Currency: "EUR"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := s.counted.Load(); n > filters+1 {
			t.Errorf("counted %d times; want %d, and the one in progress", n, filters)
		}
	})
}

func TestASmallCountFollowsEveryChange(t *testing.T) {
	t.Parallel()
	service := product.New(memorytest.New(), time.Now)
	for want := range int64(5) {
		page, err := service.List(t.Context(), product.Filter{}, 1, 10)
		if err != nil || page.Total != want {
			t.Fatalf("total %d, %v; want %d", page.Total, err, want)
		}
		if _, err := service.Create(t.Context(), product.Product{Price: money.Money{Currency: "EUR"}}); err != nil {
			t.Fatal(err)
		}
	}
}

// searched remembers the filter of the last listing. It has that many products with each word, and in any category.
type searched struct {
	*memorytest.Store
	having     map[string]int64
	ofCategory int64
	filter     product.Filter
}

func (s *searched) CountProducts(_ context.Context, f product.Filter, atMost int64) (int64, error) {
	n := s.ofCategory
	for _, w := range f.Words {
		n = s.having[w]
	}
	if atMost > 0 {
		n = min(n, atMost)
	}
	return n, nil
}

func (s *searched) ListProducts(_ context.Context, q product.Query) ([]product.Product, error) {
	s.filter = q.Filter
	return nil, nil
}

func TestTheRarestConditionIsLookedUp(t *testing.T) {
	t.Parallel()
	words := func(w ...string) product.Filter { return product.Filter{Words: w} }
	garden := func(f product.Filter) product.Filter { f.Category = "garden"; return f }
	priced := func(f product.Filter) product.Filter { f.MinPrice = 1; return f }
	for name, c := range map[string]struct {
		filter    product.Filter
		words     []string
		wordsLast bool
	}{
		"a word":                      {words("lamp"), []string{"lamp"}, false},
		"words":                       {words("brass", "lamp", "zinc"), []string{"zinc", "brass", "lamp"}, false},
		"common words":                {words("lamp", "new"), []string{"lamp", "new"}, false},
		"a rare word in a category":   {garden(words("new", "zinc")), []string{"zinc", "new"}, false},
		"a common word in a category": {garden(words("lamp")), []string{"lamp"}, true},
		"a common word of some price": {priced(words("lamp")), []string{"lamp"}, true},
	} {
		having := map[string]int64{"lamp": 50_000, "new": 900_000, "brass": 900, "zinc": 3}
		s := &searched{Store: memorytest.New(), having: having, ofCategory: 20_000}
		asked := slices.Clone(c.filter.Words)
		if _, err := product.New(s, time.Now).List(t.Context(), c.filter, 1, 10); err != nil {
			t.Error(err)
		}
		if !slices.Equal(s.filter.Words, c.words) || s.filter.WordsLast != c.wordsLast {
			t.Errorf("%s: looked up %v, words last: %t", name, s.filter.Words, s.filter.WordsLast)
		}
		if !slices.Equal(c.filter.Words, asked) {
			t.Errorf("%s: the filter of the caller became %v", name, c.filter.Words)
		}
	}
}
