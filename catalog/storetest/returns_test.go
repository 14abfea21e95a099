package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// returned are the lines of a return of kettles.
func returned(quantity, writeOff int64) []stock.ReturnLine {
	return []stock.ReturnLine{{ProductID: "kettle", Quantity: quantity, WriteOff: writeOff}}
}

// sell sells kettles to an order.
func sell(t *testing.T, service *stock.Service, id string, quantity int64) {
	t.Helper()
	must[stock.Reservation](t)(service.Reserve(t.Context(), id, kettles(quantity), time.Now().Add(time.Hour)))
	must[stock.Reservation](t)(service.Commit(t.Context(), id))
}

func changedInGeneration(t *testing.T, s Store) {
	want := reservation("o1")
	want.State = stock.Sold
	insert(t, s, want)
	later := day.Add(time.Minute)
	marks := func(what string, kettle, lamp stock.Mark) {
		t.Helper()
		for product, mark := range map[string]stock.Mark{"kettle": kettle, "lamp": lamp} {
			found := must[map[string]stock.Mark](t)(s.FinalMarks(t.Context(), product, []string{"o1"}))
			equal(t, what+": the final mark on "+product, found["o1"], mark)
		}
	}
	marks("sold", "T", "T")
	for generation, back := range []stock.Return{
		{ID: "r1", Lines: returned(1, 1)},
		{ID: "r2", Lines: []stock.ReturnLine{{ProductID: "lamp", Quantity: 1}}},
	} {
		admit := stock.Change{
			ID: "o1", From: stock.Sold, Generation: generation, To: stock.Returning, Return: &back, At: later,
		}
		end := stock.Change{ID: "o1", From: stock.Returning, Generation: generation + 1, To: stock.Sold, At: later}
		other := admit
		other.Generation = 1 - generation // the past one, or the next
		missed(t, s, other)
		missed(t, s, end)
		want.State, want.Returns, want.UpdatedAt = stock.Returning, append(want.Returns, back), later
		want.Steps = append(want.Steps, stock.Step{To: stock.Returning, At: later})
		equal(t, "admitted", changed(t, s, admit), want)
		marks("at work", stock.NoMark, stock.NoMark)
		missed(t, s, admit)
		other = end
		for _, other.Generation = range []int{generation, generation + 2} {
			missed(t, s, other)
		}
		want.State = stock.Sold
		want.Steps = append(want.Steps, stock.Step{To: stock.Sold, At: later})
		equal(t, "ended", changed(t, s, end), want)
		equal(t, "stored", must[stock.Reservation](t)(s.Reservation(t.Context(), "o1")), want)
		missed(t, s, end)
	}
	marks("returned", "T1", "T2")
}

func changed(t *testing.T, s Store, c stock.Change) stock.Reservation {
	t.Helper()
	r, ok, err := s.Change(t.Context(), c)
	if !ok || err != nil {
		t.Errorf("%+v: %t, %v", c, ok, err)
	}
	return r
}

func returnedOnce(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	service := stock.New(s, stock.Options{})
	sell(t, service, "o1", 6)
	back := func(id string, quantity, writeOff int64) (stock.Reservation, error) {
		return service.Return(t.Context(), "o1", id, returned(quantity, writeOff))
	}
	where := func(what string, available, sold, restocked int64) {
		t.Helper()
		equal(t, what, units(t, service, "kettle"), stock.Units{
			ProductID: "kettle", Available: available, Sold: sold, Initial: 10, Restocked: restocked,
		})
	}
	for range 2 {
		must[stock.Reservation](t)(back("r1", 3, 1))
		where("three returned, one of them broken", 6, 3, -1)
	}
	fails(t, "delete", s.DeleteProduct(t.Context(), "kettle", nil, day), nil)
	for range 2 { // the mark of the first one is pruned
		fails(t, "prune", service.Prune(t.Context(), "kettle"), nil)
		must[stock.Reservation](t)(back("r2", 2, 2))
		where("two more, both broken, of a deleted product", 6, 1, -3)
	}
	_, err := back("r1", 3, 2)
	fails(t, "same ID, other lines", err, stock.ErrReturnConflict)
	_, err = back("r3", 2, 0)
	if excess := new(stock.ExcessError); !errors.As(err, &excess) {
		t.Errorf("more than is left: %v", err)
	} else {
		equal(t, "excesses", excess.Excesses, []stock.Excess{{ProductID: "kettle", Requested: 2, Left: 1}})
	}
	for what, lines := range map[string][]stock.ReturnLine{
		"nothing": nil, "less than nothing": returned(-1, 0), "more written off than returned": returned(1, 2),
	} {
		_, err = service.Return(t.Context(), "o1", "r4", lines)
		fails(t, what, err, stock.ErrLines)
	}
	_, err = service.Return(t.Context(), "unknown", "r1", returned(1, 0))
	fails(t, "of an unknown order", err, stock.ErrNotFound)
	for range 2 { // what is left comes back
		must[stock.Reservation](t)(service.Release(t.Context(), "o1"))
		must[stock.Reservation](t)(back("r2", 2, 2))
		where("released", 7, 0, -3)
	}
	_, err = back("r5", 1, 0)
	if notSold := new(stock.NotSoldError); !errors.As(err, &notSold) || notSold.State != stock.Released {
		t.Errorf("after the release: %v", err)
	}
	equal(t, "audit", must[stock.Findings](t)(service.Audit(t.Context())), stock.Findings{Products: 1})
}

// exactlyAllBack returns units of one order under many IDs at once, each twice.
func exactlyAllBack(t *testing.T, s Store) {
	const clients, sold, each = 16, 20, 2
	p := sample("kettle")
	p.Stock = sold
	create(t, s, p)
	service := stock.New(s, stock.Options{PruneAt: 1})
	sell(t, service, "o1", sold)
	var mu sync.Mutex
	var wg sync.WaitGroup
	back := map[string]int{} // by return: how many of its calls succeeded
	for client := range 2 * clients {
		wg.Go(func() {
			id := fmt.Sprintf("r%d", client%clients)
			_, err := service.Return(t.Context(), "o1", id, returned(each, 1))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				back[id]++
			case !errors.As(err, new(*stock.ExcessError)):
				t.Errorf("return %s: %v", id, err)
			}
		})
	}
	wg.Wait()
	for id, times := range back {
		if times != 2 {
			t.Errorf("of two calls for return %s, one succeeded and one did not", id)
		}
	}
	equal(t, "returns", len(back), sold/each)
	equal(t, "units", units(t, service, "kettle"),
		stock.Units{ProductID: "kettle", Available: sold / 2, Initial: sold, Restocked: -sold / 2})
}

func returnedLate(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	if err := lateReturn(t.Context(), s); err != nil {
		t.Error(err)
	}
}

func TestALateReturnIsCaughtWhereEpochsAreIgnoredOrNotRaised(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ignores the epoch of returns", "does not raise the epoch"} {
		store := memorytest.New()
		create(t, store, sample("kettle"))
		if err := lateReturn(t.Context(), store.WrongStores()[name].Over(store)); !errors.Is(err, errReturnedTwice) {
			t.Errorf("a store that %s: got %v, want the return that came late", name, err)
		}
	}
}

var errReturnedTwice = errors.New("a return that came late changed the product again")

// lateReturn plays the one history that the epoch is for in returns: the update of a product fails for its caller, which
// repeats the return. Its mark is pruned, and then the first update arrives and finds no mark.
func lateReturn(ctx context.Context, store stock.Store) error {
	stalled := &stalling{Store: store, stalls: func(u stock.Update) bool { return u.Available > 0 }}
	service := stock.New(stalled, stock.Options{})
	_, err := service.Reserve(ctx, "late", kettles(3), time.Now().Add(time.Hour))
	if err == nil {
		_, err = service.Commit(ctx, "late")
	}
	if err == nil {
		err = service.Prune(ctx, "kettle")
	}
	if err != nil {
		return err
	}
	back := func() error {
		_, err := service.Return(ctx, "late", "r1", returned(1, 0))
		return err
	}
	if err := back(); !errors.Is(err, errLost) || stalled.stalled == nil {
		return fmt.Errorf("the return whose update stalls: %w", err)
	}
	if err := back(); err != nil {
		return fmt.Errorf("the repeated return: %w", err)
	}
	return stalled.arriveAfterPruning(ctx, service, "kettle", errReturnedTwice)
}
