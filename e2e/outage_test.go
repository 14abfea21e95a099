package e2e

import (
	"sync"
	"testing"
	"time"
)

// TestCatalogThatIsDownForAMinuteUnderLoadLosesNoOrder stops the catalog for longer than its breaker stays open (30 s).
// Orders go on coming at a steady rate; what counts is that each of them ends, and ends well.
func TestCatalogThatIsDownForAMinuteUnderLoadLosesNoOrder(t *testing.T) {
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
			t.Fatal("the test was ended")
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
