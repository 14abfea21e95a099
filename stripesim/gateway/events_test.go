package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

const webhookSecret = "whsec_local"

// sent is an event that was taken.
type sent struct{ kind, object, id string }

type received <-chan sent

// next waits for an event.
func (got received) next(t *testing.T) sent {
	t.Helper()
	select {
	case e := <-got:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no event comes")
		return sent{}
	}
}

// inAnyOrder compares events: like Stripe's, they have no guaranteed sequence.
var inAnyOrder = cmpopts.SortSlices(func(a, b sent) bool { return a.kind < b.kind })

// receive starts a gateway that sends its events to a receiver. The receiver takes each event at the attempt that take says.
func receive(t *testing.T, take int) (*sim, received) {
	t.Helper()
	got := make(chan sent, 100)
	attempts := map[string]int{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		event, err := webhook.ConstructEventWithOptions(body, r.Header.Get("Stripe-Signature"), webhookSecret,
			webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
		if err != nil {
			t.Errorf("the library rejects it: %v", err)
		}
		if attempts[event.ID]++; attempts[event.ID] < take { // events come one after the other
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got <- sent{string(event.Type), event.GetObjectValue("object"), event.GetObjectValue("id")}
	}))
	t.Cleanup(receiver.Close)
	s := start(t, func(o *gateway.Options) { o.WebhookURL, o.WebhookSecret = receiver.URL, webhookSecret })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return s, got
}

func TestEventsAreSentSignedUntilTheyAreTaken(t *testing.T) {
	s, got := receive(t, 2)
	s.create("", "pm_card_visa") // not worth an event
	id := s.paid()
	for want := (sent{"payment_intent.succeeded", "payment_intent", id}); ; s.clock.Advance(time.Second) { // the next attempt is due
		select {
		case e := <-got:
			if e != want {
				t.Errorf("got %+v, want %+v", e, want)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestEveryChangeOfARefundOrDisputeIsReported(t *testing.T) {
	s, got := receive(t, 1)
	wantEvents := func(what string, want ...sent) {
		t.Helper()
		var events []sent
		for range want {
			events = append(events, got.next(t))
		}
		if diff := cmp.Diff(want, events, cmp.AllowUnexported(sent{}), inAnyOrder); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	id := s.paid()
	charge, _ := s.get("/v1/payment_intents/" + id).body["latest_charge"].(string)
	wantEvents("paid", sent{"payment_intent.succeeded", "payment_intent", id})
	refund := s.refund(id, "100").id(t)
	wantEvents("refunded", sent{"charge.refunded", "charge", charge}, sent{"refund.created", "refund", refund})
	s.post("/_sim/refunds/"+refund, "", "status", "failed").id(t)
	wantEvents("failed", sent{"refund.updated", "refund", refund}, sent{"refund.failed", "refund", refund})
	s.faults(`[{"fault": "refund_status", "status": "pending", "then": "succeeded"}]`)
	pending := s.refund(id, "100").id(t)
	// The loop that sends events changes the refund, too.
	wantEvents("pending, then succeeded", sent{"charge.refunded", "charge", charge}, sent{"refund.created", "refund", pending},
		sent{"refund.updated", "refund", pending})
	dispute := s.post("/_sim/disputes", "", "payment_intent", id).id(t)
	wantEvents("disputed",
		sent{"charge.dispute.created", "dispute", dispute}, sent{"charge.dispute.funds_withdrawn", "dispute", dispute})
	s.post("/v1/disputes/"+dispute, "", "evidence[uncategorized_text]", "winning_evidence").id(t)
	wantEvents("won", sent{"charge.dispute.closed", "dispute", dispute}, sent{"charge.dispute.funds_reinstated", "dispute", dispute})
	select {
	case e := <-got:
		t.Errorf("one event too many: %+v", e)
	default:
	}
}

func TestEventsGetLostComeTwiceAndLate(t *testing.T) {
	s, got := receive(t, 1)
	s.faults(`[
		{"fault": "event_lost", "event": "charge.refunded"}, {"fault": "event_lost", "orderId": "order-2"},
		{"fault": "event_twice", "event": "refund.updated"},
		{"fault": "event_late", "event": "payment_intent.succeeded", "afterMs": 60000}]`)
	other := s.create("", "pm_card_visa", "metadata[order_id]", "order-2").id(t)
	s.post("/v1/payment_intents/"+other+"/confirm", "").id(t) // its event is lost
	id := s.paid()
	refund := s.refund(id, "100").id(t)
	s.post("/_sim/refunds/"+refund, "", "status", "failed").id(t)
	first := []sent{got.next(t), got.next(t), got.next(t), got.next(t)}
	s.clock.Advance(time.Minute)
	last := got.next(t)
	counts := map[sent]int{}
	for _, e := range append(first, last) {
		counts[e]++
	}
	want := map[sent]int{
		{"refund.created", "refund", refund}: 1, {"refund.updated", "refund", refund}: 2, {"refund.failed", "refund", refund}: 1,
		{"payment_intent.succeeded", "payment_intent", id}: 1,
	}
	if diff := cmp.Diff(want, counts, cmp.AllowUnexported(sent{})); diff != "" || last.kind != "payment_intent.succeeded" {
		t.Errorf("the last is %s (-want +got):\n%s", last.kind, diff)
	}
}
