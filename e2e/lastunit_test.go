package e2e

import (
	"net/http"
	"sync"
	"testing"
)

func TestTheLastUnitIsSoldToOneOf200(t *testing.T) {
	s := newSystem(t)
	const buyers = 200
	s.stock("unique", 1)
	answers := make([]answer, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() { answers[i] = s.place(visa, "unique", 1) })
	}
	all.Wait()
	confirmed := 0
	for _, a := range answers {
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
