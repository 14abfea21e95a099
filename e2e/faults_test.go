package e2e

import (
	"context"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func workflowID(orderID string) string { return "order-" + orderID }

// slowConfirm makes the gateway take the money after 3 s, so that a test can act while a step is under way.
var slowConfirm = map[string]any{"fault": "latency", "operation": "confirm", "latencyMs": 3000, "count": 1}

// paidButUnknown makes the gateway take the money without a response, until the faults are lifted: the saga has charged,
// cannot know it, and keeps asking.
var paidButUnknown = []map[string]any{
	{"fault": "drop_response", "operation": "confirm"},
	{"fault": "outage", "operation": "retrieve"},
}

// underWay waits until the gateway has seen the order's payment.
func (s *system) underWay(id string) {
	s.t.Helper()
	eventually(s.t, "the payment of order "+id+" is under way", func(context.Context) bool {
		return len(s.money(id).PaymentIntents) > 0
	})
}

func TestOrdersWaitForAServiceThatIsDownAndFinishWhenItIsBack(t *testing.T) {
	s := newSystem(t)
	outages := map[string]struct{ down, up func() }{
		"catalog": {s.catalog.kill, s.catalog.start},
		"gateway": {s.stripesim.kill, func() { s.stripesim.start(); s.stripesim.ready() }},
		"orders":  {s.toPostgres.down, s.toPostgres.up},
	}
	var ids []string
	for name, outage := range outages {
		outage.down()
		id := s.do("POST", "http://"+s.api.addr+"/orders", newOrder(visa, lamp, 1), "Prefer: wait=2")
		if id.status != http.StatusAccepted || id.header.Get("Location") == "" || id.header.Get("Retry-After") == "" {
			t.Errorf("%s is down: %d %v %s", name, id.status, id.header, id.body)
		}
		outage.up()
		ids = append(ids, id.orderID())
		wantEnd(t, s.finished(id.orderID()), "CONFIRMED", "")
	}
	s.keepsPromises(ids...)
}

func TestABrokerThatIsDownDelaysTheEventAndNotTheResponse(t *testing.T) {
	s := newSystem(t)
	s.toRabbitMQ.down()
	confirmed, refused := s.place(visa, lamp, 1), s.place(declined, lamp, 1)
	if confirmed.status != http.StatusCreated || refused.status != http.StatusBadRequest {
		t.Errorf("got %d and %d while the broker is down", confirmed.status, refused.status)
	}
	eventually(t, "the confirmed order's event is retried by a regular activity", func(ctx context.Context) bool {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, workflowID(confirmed.orderID()), "")
		return err == nil && len(d.PendingActivities) > 0
	})
	s.toRabbitMQ.up()
	s.keepsPromises(confirmed.orderID(), refused.orderID())
	s.closed(confirmed.orderID())
	if told := s.told(confirmed.orderID()); !slices.Contains(told, "STEP_FELL_BACK PublishEvent") {
		t.Errorf("the timeline does not say that publishing broke: %q", told)
	}
}

func TestAKilledNotifierActsOnEachEventOnce(t *testing.T) {
	s := newSystem(t)
	var ids []string
	for i := range 10 {
		ids = append(ids, s.place(visa, lamp, 1).orderID())
		if i%3 == 0 {
			s.notifier.kill()
			s.notifier.start()
		}
	}
	s.notifier.ready()
	s.keepsPromises(ids...)
}

func TestTheAPISaysThatTemporalIsDownAndAcceptsNothing(t *testing.T) {
	s := newSystem(t)
	before := s.place(visa, lamp, 1).orderID()
	s.toTemporal.down()
	a := s.place(visa, lamp, 1)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" ||
		a.problem() != "unavailable" && a.problem() != "outcome-unknown" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if o := s.order(before); o.Status != "CONFIRMED" {
		t.Errorf("reading an order while Temporal is down: %+v", o)
	}
	s.toTemporal.up()
	// All have the same key: however many are accepted, they are one order.
	key := "Idempotency-Key: " + servicestest.Name("basket")
	var after response
	eventually(t, "orders are accepted again", func(context.Context) bool {
		after = s.place(visa, lamp, 1, key)
		return after.status == http.StatusCreated
	})
	ids := []string{before, after.orderID()}
	if a.problem() == "outcome-unknown" && s.known(a.orderID()) {
		ids = append(ids, a.orderID())
	}
	s.keepsPromises(ids...)
}

// known reports whether the system knows the order.
func (s *system) known(id string) bool {
	s.t.Helper()
	a := s.do("GET", "http://"+s.api.addr+"/orders/"+id, nil)
	if a.status != http.StatusOK && a.status != http.StatusNotFound {
		s.t.Fatalf("GET order %s: %d %s", id, a.status, a.body)
	}
	return a.status == http.StatusOK
}

func TestTheWorkerFinishesItsWorkOnSIGTERM(t *testing.T) {
	s := newSystem(t)
	s.faults(slowConfirm)
	id := s.placeAsync(visa, lamp, 1)
	s.underWay(id)
	began := time.Now()
	s.worker.stop(syscall.SIGTERM)
	t.Logf("the worker stopped after %s", time.Since(began).Round(time.Millisecond))
	s.worker.start()
	wantEnd(t, s.keepsPromises(id)[id], "CONFIRMED", "")
}

func TestEveryStepAsARegularActivity(t *testing.T) {
	s := newSystem(t, "FAST_PATH=false")
	ids := []string{s.place(visa, lamp, 1).orderID(), s.place(declined, lamp, 1).orderID()}
	orders := s.keepsPromises(ids...)
	wantEnd(t, orders[ids[0]], "CONFIRMED", "")
	wantEnd(t, orders[ids[1]], "FAILED", "PAYMENT_DECLINED")
}
