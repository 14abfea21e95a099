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

func kettles(quantity int64) []stock.Line {
	return []stock.Line{{ProductID: "kettle", Quantity: quantity}}
}

// noFalseAlarm keeps auditing a product while orders come, are sold, released and pruned.
func noFalseAlarm(t *testing.T, s Store) {
	p := sample("kettle")
	p.Stock = 1_000_000
	create(t, s, p)
	background := stock.NewBackground(64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	owned.Go(func() { background.Run(ctx, 2) })
	service := stock.New(s, stock.Options{Later: background.Later, PruneAt: 8})
	var buyers sync.WaitGroup
	for buyer := range 4 {
		buyers.Go(func() { buyOrReturn(t, service, buyer, 40) })
	}
	bought := make(chan struct{})
	owned.Go(func() {
		buyers.Wait()
		close(bought)
	})
	audits, undecided := 0, 0
	for done := false; !done; audits++ {
		select {
		case <-bought:
			done = true // after one more audit
		case <-t.Context().Done():
			t.Fatal("the buyers did not finish")
		default:
		}
		found := must[stock.Findings](t)(service.Audit(t.Context()))
		undecided += len(found.Undecided)
		if len(found.Drifts) > 0 {
			t.Fatalf("false alarm: %+v", found.Drifts)
		}
	}
	t.Logf("%d audits, %d undecided", audits, undecided)
	if undecided == audits {
		t.Error("every audit was undecided")
	}
}

func buyOrReturn(t *testing.T, service *stock.Service, buyer, orders int) {
	for n := range orders {
		id := fmt.Sprintf("o%d-%d", buyer, n)
		_, err := service.Reserve(t.Context(), id, kettles(int64(1+n%3)), time.Now().Add(time.Hour))
		if err == nil && n%4 > 0 {
			_, err = service.Commit(t.Context(), id)
		}
		for r := 0; err == nil && r < n%3 && n%4 > 0; r++ {
			_, err = service.Return(t.Context(), id, fmt.Sprintf("r%d", r), returned(1, int64(r)))
		}
		if err == nil && n%4 > 1 {
			_, err = service.Release(t.Context(), id)
		}
		if err != nil {
			t.Errorf("order %s: %v", id, err)
		}
	}
}

// driftsAreFoundAndRepaired tampers with a product's counters.
func driftsAreFoundAndRepaired(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	create(t, s, sample("lamp"))
	service := stock.New(s, stock.Options{})
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", kettles(3), time.Now().Add(time.Hour)))
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o2", kettles(2), time.Now().Add(time.Hour)))
	must[stock.Reservation](t)(service.Commit(t.Context(), "o2"))
	must[stock.Units](t)(service.Restock(t.Context(), "kettle", "k1", 5))
	must[stock.Units](t)(service.Correct(t.Context(), "kettle", "k2", -1, "broken"))
	want := stock.Units{ProductID: "kettle", Available: 9, Held: 3, Sold: 2, Initial: 10, Restocked: 4}
	for name, tampering := range map[string]stock.Delta{
		"units lost":         {Available: -2},
		"units made":         {Available: +2},
		"a hold lost":        {Available: +3},
		"restocked twice":    {Available: +5, Restocked: +5},
		"a restock not sold": {Restocked: +5},
	} {
		tamper(t, s, tampering)
		audit := must[stock.Findings](t)(service.Audit(t.Context()))
		if audit.Products != 2 || len(audit.Drifts) != 1 || audit.Drifts[0].ProductID != "kettle" {
			t.Errorf("%s: the audit found %+v", name, audit)
		}
		repairedOnce(t, service, name)
		equal(t, name+", repaired", units(t, service, "kettle"), want)
	}
	var repairs int
	for _, m := range must[[]stock.Movement](t)(service.Movements(t.Context(), "kettle")) {
		if m.Kind == stock.MovedRepair {
			repairs++
			equal(t, "reason", m.Reason, "counted by hand")
		}
	}
	equal(t, "repairs in the ledger", repairs, 5)
}

// tamper changes counters as if by hand and leaves no mark.
func tamper(t *testing.T, s Store, by stock.Delta) {
	t.Helper()
	v := must[map[string]stock.View](t)(s.View(t.Context(), "tampering", []string{"kettle"}))["kettle"]
	applied(t, s, stock.Update{
		ProductID: "kettle", Owner: "tampering", Was: stock.NoMark, Epoch: v.Epoch, Set: stock.MarkTaken, Delta: by,
	}, true)
	if ok, err := s.Prune(t.Context(), "kettle", map[string]stock.Mark{"tampering": stock.MarkTaken}); !ok || err != nil {
		t.Fatalf("prune: %t, %v", ok, err)
	}
}

// repairedOnce runs several repairs at once.
func repairedOnce(t *testing.T, service *stock.Service, name string) {
	t.Helper()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := service.Repair(t.Context(), "kettle", "counted by hand"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	audit := must[stock.Findings](t)(service.Audit(t.Context()))
	equal(t, name+": after the repair", audit, stock.Findings{Products: 2})
}

func corrections(t *testing.T, s Store) {
	create(t, s, sample("kettle"))
	service := stock.New(s, stock.Options{})
	correct := func(key string, quantity int64, reason string) (stock.Units, error) {
		return service.Correct(t.Context(), "kettle", key, quantity, reason)
	}
	must[stock.Reservation](t)(service.Reserve(t.Context(), "o1", kettles(6), time.Now().Add(time.Hour)))
	less := stock.Units{ProductID: "kettle", Available: 1, Held: 6, Initial: 10, Restocked: -3}
	for range 2 {
		equal(t, "three less", must[stock.Units](t)(correct("k1", -3, "broken")), less)
	}
	_, err := correct("k1", -2, "broken")
	fails(t, "same key, other quantity", err, stock.ErrConflict)
	_, err = correct("k1", -3, "lost")
	fails(t, "same key, other reason", err, stock.ErrConflict)
	_, err = correct("k2", -1, "")
	fails(t, "no reason", err, stock.ErrReason)
	_, err = correct("k2", 0, "none")
	fails(t, "nothing", err, stock.ErrLines)
	for range 2 { // held units cannot be taken away, and a refusal stays one
		_, err = correct("k3", -2, "broken")
		if short := new(stock.ShortError); !errors.As(err, &short) || short.Shortages[0].Available != 1 {
			t.Errorf("more than is available: %v", err)
		}
		must[stock.Reservation](t)(service.Release(t.Context(), "o1"))
	}
	less.Available, less.Held = 7, 0
	equal(t, "at the end", must[stock.Units](t)(correct("k1", -3, "broken")), less)
	equal(t, "found again", must[stock.Units](t)(correct("k4", 3, "found")),
		stock.Units{ProductID: "kettle", Available: 10, Initial: 10})
}
