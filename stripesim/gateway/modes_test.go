package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

func TestTheGatewayWorksHoweverStatementsAreSent(t *testing.T) {
	t.Parallel()
	for _, mode := range servicestest.OtherExecModes() {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			db := gatewaytest.LedgerAt(t, servicestest.InExecMode(servicestest.Postgres(t), mode))
			s := &sim{t: t, pool: db, clock: clocktest.At(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))}
			taken := make(chan struct{}, 10)
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken <- struct{}{} }))
			defer receiver.Close()
			s.serve(func(o *gateway.Options) { o.WebhookURL = receiver.URL })
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); s.Run(ctx) }()
			defer func() { stop(); <-ended }()

			id := s.create("key", "pm_card_visa").id(t)
			if again := s.create("key", "pm_card_visa"); !again.replayed || again.id(t) != id {
				t.Errorf("a known key: %+v", again)
			}
			s.post("/v1/payment_intents/"+id+"/confirm", "confirm").id(t)
			s.clock.Advance(time.Second)
			<-taken
			s.post("/v1/refunds", "refund", "payment_intent", id, "amount", "299").id(t)
			declined := s.create("", "pm_card_chargeDeclined").id(t)
			if r := s.post("/v1/payment_intents/"+declined+"/confirm", ""); r.status != 402 {
				t.Errorf("a declined card: %d %s", r.status, r.text)
			}
			s.post("/v1/payment_intents/"+declined+"/cancel", "").id(t)
			s.clock.Advance(time.Hour)
			for _, path := range []string{
				"/v1/payment_intents/" + declined, "/v1/payment_intents?limit=1",
				"/v1/payment_intents/search?query=" + url.QueryEscape("metadata['order_id']:'order-1'"), "/", "/readyz",
			} {
				if r := s.get(path); r.status != 200 {
					t.Errorf("%s: %d %s", path, r.status, r.text)
				}
			}
			ledger, err := s.Audit(t.Context(), "order-1")
			if err != nil || len(ledger.Orders) != 1 || ledger.Orders[0].Net != 1000 {
				t.Errorf("ledger %+v (%v)", ledger, err)
			}
		})
	}
}
