package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	signing "github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/order"
)

const paidEvent = `{"id":"evt_1","object":"event","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1"}}}`

func TestOnlySignedEventsOfInterestStartAWorkflow(t *testing.T) {
	t.Parallel()
	const secret = "whsec_never_show_this"
	sign := func(body, secret string) string {
		return signing.GenerateTestSignedPayload(&signing.UnsignedPayload{Payload: []byte(body), Secret: secret, Timestamp: time.Now()}).Header
	}
	other := strings.Replace(paidEvent, "payment_intent.succeeded", "customer.created", 1)
	huge := strings.Repeat(" ", maxEvent) + paidEvent
	taken := []order.PaymentEvent{{ID: "evt_1", Type: order.PaymentSucceeded, PaymentID: "pi_1"}}
	for name, test := range map[string]struct {
		body, signature string
		down            error
		status          int
		started         []order.PaymentEvent
	}{
		"paid":                 {paidEvent, sign(paidEvent, secret), nil, http.StatusAccepted, taken},
		"of no interest":       {other, sign(other, secret), nil, http.StatusNoContent, nil},
		"not signed":           {paidEvent, "", nil, http.StatusBadRequest, nil},
		"signed by others":     {paidEvent, sign(paidEvent, "whsec_other"), nil, http.StatusBadRequest, nil},
		"changed on the way":   {paidEvent + " ", sign(paidEvent, secret), nil, http.StatusBadRequest, nil},
		"too large":            {huge, sign(huge, secret), nil, http.StatusRequestEntityTooLarge, nil},
		"Temporal is not here": {paidEvent, sign(paidEvent, secret), errors.New("unavailable"), http.StatusServiceUnavailable, taken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var started []order.PaymentEvent
			var logs strings.Builder
			api := httpapi.New(httpapi.Config{Title: "Orders", Version: "1", Log: slog.New(slog.NewTextHandler(&logs, nil))})
			webhook{secret, func(_ context.Context, e order.PaymentEvent) error {
				started = append(started, e)
				return test.down
			}}.register(api)
			req := httptest.NewRequest(http.MethodPost, webhookPath, strings.NewReader(test.body))
			req.Header.Set("Stripe-Signature", test.signature)
			res := httptest.NewRecorder()
			api.ServeHTTP(res, req)
			if res.Code != test.status {
				t.Errorf("got %d %s, want %d", res.Code, res.Body, test.status)
			}
			if diff := cmp.Diff(test.started, started); diff != "" {
				t.Errorf("started (-want +got):\n%s", diff)
			}
			if strings.Contains(logs.String()+res.Body.String(), "whsec_") {
				t.Error("the secret is shown")
			}
		})
	}
}
