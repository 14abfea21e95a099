package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func TestEventsAreSentSignedUntilTheyAreTaken(t *testing.T) {
	const secret = "whsec_local"
	type sent struct{ kind, object, id string }
	got := make(chan sent, 10)
	attempts := map[string]int{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		event, err := webhook.ConstructEventWithOptions(body, r.Header.Get("Stripe-Signature"), secret,
			webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
		if err != nil {
			t.Errorf("the library rejects it: %v", err)
		}
		if attempts[event.ID]++; attempts[event.ID] == 1 { // events come one after the other
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got <- sent{string(event.Type), event.GetObjectValue("object"), event.GetObjectValue("id")}
	}))
	defer receiver.Close()
	s := start(t, func(o *gateway.Options) { o.WebhookURL, o.WebhookSecret, o.Now = receiver.URL, secret, time.Now })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.SendEvents(ctx) }()
	defer func() { stop(); <-ended }()

	s.create("", "pm_card_visa") // not worth an event
	id := s.paid()
	if e := <-got; e != (sent{"payment_intent.succeeded", "payment_intent", id}) {
		t.Errorf("got %+v", e)
	}
	s.post("/v1/refunds", "", "payment_intent", id, "amount", "100").id(t)
	if e := <-got; e.kind != "charge.refunded" || e.object != "charge" {
		t.Errorf("got %+v", e)
	}
	select {
	case e := <-got:
		t.Errorf("one event too many: %+v", e)
	default:
	}
}
