package e2e

import (
	"net/http"
	"sync"
	"testing"

	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// TestTheLastUnitIsSoldToOneOf200 does not run in parallel with other tests: 200 concurrent orders are enough load.
func TestTheLastUnitIsSoldToOneOf200(t *testing.T) {
	s := buildSystem(t, client.DefaultNamespace)
	s.start()
	const buyers = 200
	s.stock("unique", 1)
	responses := make([]response, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() { responses[i] = s.buy("unique") })
	}
	all.Wait()
	confirmed := 0
	for _, a := range responses {
		if a.status == http.StatusServiceUnavailable {
			t.Fatalf("got %d %s again and again", a.status, a.body)
		}
		o := s.finished(a.orderID())
		switch {
		case o.Status == "CONFIRMED":
			confirmed++
		case o.Status != "FAILED" || o.Reason != "OUT_OF_STOCK":
			t.Errorf("order %s ended %s %s", o.ID, o.Status, o.Reason)
		case a.status != http.StatusAccepted && a.problem() != "out-of-stock":
			t.Errorf("order %s got %d %s", o.ID, a.status, a.body)
		}
		s.paidOnce(o)
	}
	if confirmed != 1 {
		t.Errorf("%d orders confirmed, want 1", confirmed)
	}
	s.unitsBecome("unique", units{Sold: 1})
}

// buy places an order and, like a customer's client, repeats a 503 under the same key. A busy machine may return 503 for some
// of 200 concurrent orders.
func (s *system) buy(product string) (a response) {
	key := "Idempotency-Key: " + servicestest.Name("buyer")
	for range 10 {
		if a = s.place(visa, product, 1, key); a.status != http.StatusServiceUnavailable {
			return a
		}
		s.t.Logf("got %d %s", a.status, a.body)
	}
	return a
}
