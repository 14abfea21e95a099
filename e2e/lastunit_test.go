package e2e

import (
	"net/http"
	"sync"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// TestTheLastUnitIsSoldToOneOf200 runs beside no other test: 200 orders at once are load enough.
func TestTheLastUnitIsSoldToOneOf200(t *testing.T) {
	s := buildSystem(t, client.DefaultNamespace)
	s.start()
	const buyers = 200
	s.stock("unique", 1)
	answers := make([]answer, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() { answers[i] = s.buy("unique") })
	}
	all.Wait()
	confirmed := 0
	for _, a := range answers {
		if a.status == http.StatusServiceUnavailable {
			t.Fatalf("answered %d %s, again and again", a.status, a.body)
		}
		o := s.finished(a.orderID())
		switch {
		case o.Status == "CONFIRMED":
			confirmed++
		case o.Status != "FAILED" || o.Reason != "OUT_OF_STOCK":
			t.Errorf("order %s ended %s %s", o.ID, o.Status, o.Reason)
		case a.status != http.StatusAccepted && a.problem() != "out-of-stock":
			t.Errorf("order %s was answered %d %s", o.ID, a.status, a.body)
		}
		s.paidOnce(o)
	}
	if confirmed != 1 {
		t.Errorf("%d orders confirmed, want 1", confirmed)
	}
	s.unitsBecome("unique", units{Sold: 1})
}

// buy places an order as a customer's client does: what is answered 503, as it may be when 200 come at once on a busy
// machine, is sent again under the same key.
func (s *system) buy(product string) (a answer) {
	key := "Idempotency-Key: " + servicestest.Name("buyer")
	for range 10 {
		if a = s.place(visa, product, 1, key); a.status != http.StatusServiceUnavailable {
			return a
		}
		s.t.Logf("answered %d %s", a.status, a.body)
	}
	return a
}
