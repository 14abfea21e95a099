package e2e

import (
	"sync"
	"testing"
	"time"
)

// TestACatalogOutageUnderLoadLosesNoOrder stops the catalog, with the tag long for longer than its breaker stays open (30 s),
// while orders keep coming. Each of them must be confirmed.
func TestACatalogOutageUnderLoadLosesNoOrder(t *testing.T) {
	s := newSystem(t)
	const before, during, after = 5, 30, 5
	outage := outageLength
	var ids []string
	for range before {
		ids = append(ids, s.placeAsync(visa, lamp, 1))
	}
	s.catalog.kill()
	var all sync.WaitGroup
	pace := time.NewTicker(outage / during)
	defer pace.Stop()
	late := make([]string, during)
	for i := range during {
		select {
		case <-pace.C:
		case <-t.Context().Done():
			t.Fatal("the test was stopped")
		}
		all.Go(func() { late[i] = s.placeAsync(visa, lamp, 1) })
	}
	all.Wait()
	s.catalog.start()
	s.catalog.ready()
	ids = append(ids, late...)
	for range after {
		ids = append(ids, s.placeAsync(visa, lamp, 1))
	}
	for id, o := range s.keepsPromises(ids...) {
		if o.Status != "CONFIRMED" {
			t.Errorf("order %s ended %s %s", id, o.Status, o.Reason)
		}
	}
}
