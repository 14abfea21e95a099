package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

func take(owner string, quantity, epoch int64) stock.Update {
	return stock.Update{
		ProductID: "kettle", Owner: owner, Was: stock.NoMark, Epoch: epoch, Set: stock.MarkTaken,
		Delta: stock.Delta{Available: -quantity},
	}
}

func give(owner string, quantity int64) stock.Update {
	return stock.Update{
		ProductID: "kettle", Owner: owner, Was: stock.MarkTaken, Set: stock.MarkTombstone,
		Delta: stock.Delta{Available: quantity},
	}
}

func applied(t *testing.T, s Store, u stock.Update, want bool) {
	t.Helper()
	if _, ok, err := s.Apply(t.Context(), u); err != nil || ok != want {
		t.Errorf("apply %+v: %t, %v; want %t", u, ok, err, want)
	}
}

// snapshot reads the product kettle.
func snapshot(t *testing.T, s Store) stock.Snapshot {
	t.Helper()
	return must[map[string]stock.Snapshot](t)(s.Snapshots(t.Context(), []string{"kettle"}))["kettle"]
}

func units(t *testing.T, service *stock.Service, id string) stock.Units {
	t.Helper()
	return must[stock.Units](t)(service.Units(t.Context(), id))
}

func updatesAreGuarded(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	applied(t, s, take("o1", 3, 1), false) // another epoch
	applied(t, s, give("o1", 3), false)    // not taken
	applied(t, s, take("o1", 3, 0), true)
	applied(t, s, take("o1", 3, 0), false) // taken already
	applied(t, s, take("o2", 2, 0), true)
	applied(t, s, give("o2", 2), true)
	applied(t, s, give("o2", 2), false)
	unknown := take("o1", 1, 0)
	unknown.ProductID = "unknown"
	applied(t, s, unknown, false)
	tombstone := stock.Update{ProductID: "kettle", Owner: "o3", Was: stock.NoMark, Set: stock.MarkTombstone}
	after, ok, err := s.Apply(t.Context(), tombstone)
	if !ok || err != nil {
		t.Fatalf("tombstone: %t, %v", ok, err)
	}
	equal(t, "after", after, stock.After{Epoch: 0, Marks: 3})
	equal(t, "snapshot", snapshot(t, s), stock.Snapshot{
		Counters: stock.Counters{ProductID: "kettle", Available: 7, Initial: 10, MarkCount: 3},
		Marks:    map[string]stock.Mark{"o1": stock.MarkTaken, "o2": stock.MarkTombstone, "o3": stock.MarkTombstone},
	})
	equal(t, "view", must[map[string]stock.View](t)(s.View(t.Context(), "o1", []string{"kettle", "unknown"})),
		map[string]stock.View{"kettle": {Available: 7, Mark: stock.MarkTaken, Marks: 3}})
}

func takenWhileTheyLast(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	applied(t, s, take("o1", 11, 0), false)
	applied(t, s, take("o1", 10, 0), true)
	applied(t, s, take("o2", 1, 0), false)
	applied(t, s, stock.Update{
		ProductID: "kettle", Owner: "r1", Was: stock.NoMark, Set: stock.MarkApplied,
		Delta: stock.Delta{Available: 5, Restocked: 5},
	}, true)
	applied(t, s, take("o2", 5, 0), true)
	equal(t, "counters", snapshot(t, s).Counters, stock.Counters{ProductID: "kettle", Initial: 10, Restocked: 5, MarkCount: 3})
}

func pruning(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	for _, id := range []string{"o1", "o2", "o3"} {
		applied(t, s, take(id, 1, 0), true)
	}
	applied(t, s, give("o1", 1), true)
	taken := map[string]stock.Mark{"o1": stock.MarkTaken, "o2": stock.MarkTaken}
	if ok, err := s.Prune(t.Context(), "kettle", taken); ok || err != nil {
		t.Errorf("prune a mark that has changed: %t, %v", ok, err)
	}
	asRead := map[string]stock.Mark{"o1": stock.MarkTombstone, "o2": stock.MarkTaken}
	if ok, err := s.Prune(t.Context(), "kettle", asRead); !ok || err != nil {
		t.Errorf("prune: %t, %v", ok, err)
	}
	equal(t, "marks", snapshot(t, s).Marks, map[string]stock.Mark{"o3": stock.MarkTaken})
	applied(t, s, take("o1", 1, 0), false) // planned before the pruning
	views := must[map[string]stock.View](t)(s.View(t.Context(), "o1", []string{"kettle"}))
	equal(t, "view", views, map[string]stock.View{"kettle": {Available: 8, Epoch: 1, Marks: 1}})
}

func takenLate(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	if err := lateTake(t.Context(), s, "kettle"); err != nil {
		t.Error(err)
	}
}

func bounded(t *testing.T, s Store) {
	p := sample("kettle")
	p.Stock = stock.MaxMarks + 1
	create(t, s, p)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < stock.MaxMarks; i += 8 {
				applied(t, s, take(fmt.Sprintf("o%d", i), 1, 0), true)
			}
		})
	}
	wg.Wait()
	applied(t, s, take("late", 1, 0), false)
	applied(t, s, give("o7", 1), true)
}

// committedTooLate commits before any sweep: the commit itself must notice the expiry and give the units back.
func committedTooLate(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	now := day
	service := stock.New(s, stock.Options{Now: func() time.Time { return now }})
	expiresAt := day.Add(time.Minute)
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", kettles(3), expiresAt))
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o2", kettles(2), expiresAt))
	equal(t, "before the commits", units(t, service, "kettle"),
		stock.Units{ProductID: "kettle", Available: 5, Held: 5, Initial: 10})
	now = expiresAt.Add(-time.Millisecond)
	must[stock.Reservation](t)(service.Commit(t.Context(), "o2")) // just in time
	now = expiresAt
	equal(t, "state at its expiry", must[stock.Reservation](t)(s.Reservation(t.Context(), "o1")).State, stock.Held)
	for range 2 { // a refusal stays one
		_, err := service.Commit(t.Context(), "o1")
		fails(t, "commit", err, stock.ErrExpired)
		equal(t, "units", units(t, service, "kettle"), stock.Units{ProductID: "kettle", Available: 8, Sold: 2, Initial: 10})
		equal(t, "state", must[stock.Reservation](t)(s.Reservation(t.Context(), "o1")).State, stock.Released)
	}
	must[stock.Reservation](t)(service.Commit(t.Context(), "o2")) // and a sale stays one
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o3", kettles(8), now.Add(time.Minute)))
}

func exactlyAll(t *testing.T, s Store) {
	const clients, all, each = 16, 100, 10
	p := sample("kettle")
	p.Stock = all
	create(t, s, p)
	background := stock.NewBackground(64)
	service := stock.New(s, stock.Options{Later: background.Later})
	var mu sync.Mutex
	var wg sync.WaitGroup
	sold, short := int64(0), 0
	for client := range clients {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("o%d-%d", client, n)
				_, err := service.Reserve(t.Context(), id, []stock.Line{{ProductID: "kettle", Quantity: 1}}, time.Now().Add(time.Hour))
				if err == nil {
					_, err = service.Commit(t.Context(), id)
				}
				mu.Lock()
				var out *stock.ShortError
				switch {
				case err == nil:
					sold++
				case errors.As(err, &out):
					short++
				default:
					t.Errorf("order %s: %v", id, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	runToEnd(background)
	if sold != all || short != clients*each-all {
		t.Errorf("sold %d, short %d; want %d, %d", sold, short, all, clients*each-all)
	}
	if n := len(snapshot(t, s).Marks); n >= 100 {
		t.Errorf("%d marks are left; pruning should have kept them few", n)
	}
	equal(t, "units", units(t, service, "kettle"), stock.Units{ProductID: "kettle", Sold: sold, Initial: sold})
}

// runToEnd runs the queued tasks.
func runToEnd(b *stock.Background) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	b.Run(done, 1)
}
