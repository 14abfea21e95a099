package product_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ordersaga/catalog/memory"
	"ordersaga/catalog/product"
	"ordersaga/internal/money"
)

// shelf says how many products there are, and takes a second to count them.
type shelf struct {
	*memory.Store
	size, counted  atomic.Int64
	counting, most atomic.Int64 // how many are counting, and were at once
}

func (s *shelf) CountProducts(context.Context, product.Filter) (int64, error) {
	s.counted.Add(1)
	s.most.Store(max(s.most.Load(), s.counting.Add(1)))
	defer s.counting.Add(-1)
	time.Sleep(time.Second) // on the fake clock
	return s.size.Load(), nil
}

func TestTheCountOfALargeShelfIsTakenSeldomNeverWaitedForTwiceAndNeverTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{Store: memory.New()}
		s.size.Store(1_000_000)
		service := product.New(s, time.Now)
		list := func() (total int64, took time.Duration) {
			began := time.Now()
			page, err := service.List(t.Context(), product.Filter{}, 1, 10)
			if err != nil {
				t.Error(err)
			}
			if age := time.Since(page.Counted); age > 40*time.Second { // counting took one
				t.Errorf("counted %s ago", age)
			}
			return page.Total, time.Since(began)
		}
		for range 50 { // as many ask at once, and one counts for all of them
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
				t.Fatalf("a busy filter waited %s", took)
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
		list() // nobody asked meanwhile: it is counted afresh
		synctest.Wait()
	})
}

func TestCountsOfManyFiltersAreTakenAgainOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const filters = 5 // taken in any order, within 5 s
		s := &shelf{Store: memory.New()}
		s.size.Store(1_000_000)
		service := product.New(s, time.Now)
		listAll := func() {
			for n := range filters {
				if _, err := service.List(t.Context(), product.Filter{Category: fmt.Sprint(n)}, 1, 10); err != nil {
					t.Error(err)
				}
			}
		}
		listAll()
		time.Sleep(20 * time.Second) // all counts are due again, and may be twice as old
		before := s.counted.Load()
		for range 300 { // half a minute
			began := time.Now()
			listAll()
			if took := time.Since(began); took > 0 {
				t.Fatalf("busy filters waited %s", took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep((filters + 1) * time.Second) // those that are under way or wait for their turn
		if n := s.counted.Load() - before; n < filters || s.most.Load() != 1 {
			t.Errorf("%d filters: counted again %d times, %d at once; want one at a time", filters, n, s.most.Load())
		}
	})
}

func TestTheCountOfAFewProductsFollowsEveryChange(t *testing.T) {
	t.Parallel()
	service := product.New(memory.New(), time.Now)
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
