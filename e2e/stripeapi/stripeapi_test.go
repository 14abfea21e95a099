// Package stripeapi checks the payment adapter against Stripe's own description of its API. It is not in internal/stripe
// because stripe-mock and its 20 MB of OpenAPI belong in no program's requirements.
package stripeapi

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// TestStripesAPIDescribesEveryRequest sends each of the adapter's requests to stripe-mock, which remembers nothing but
// checks every path and parameter against the OpenAPI document of the real gateway.
func TestStripesAPIDescribesEveryRequest(t *testing.T) {
	t.Parallel()
	mock := newMock(t)
	payments, err := stripe.New(stripe.Config{URL: mock.url, Key: "sk_test_123", Now: mock.now}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := order.Payment{
		OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"},
		Method: "pm_card_visa", OrderedAt: time.Now(),
	}
	ctx := t.Context()
	// The responses are fixtures and say nothing about this payment. The contract in internal/stripe tests what the
	// adapter makes of real ones.
	_ = payments.Check(ctx)
	_, _ = payments.Charge(ctx, p)
	_ = payments.Refund(ctx, p)
	_, _ = payments.Payment(ctx, "pi_123")
	_ = payments.GiveBack(ctx, p.OrderID, "pi_123")
	mock.status = "succeeded" // too late to cancel
	_ = payments.GiveBack(ctx, p.OrderID, "pi_123")
	mock.status = ""
	for range payments.PaymentsSince(ctx, time.Now()) {
		break
	}
	r := order.Refund{
		ID: order.RefundID(uuid.NewString()), OrderID: p.OrderID, PaymentID: "pi_123", Amount: p.Amount, CreatedAt: time.Now(),
	}
	_, _ = payments.RefundPart(ctx, r)
	mock.replayed = true
	_, _ = payments.RefundPart(ctx, r) // looks it up
	mock.replayed = false
	_, _, _ = payments.FindRefund(ctx, r)
	_, _, _ = payments.RefundsSince(ctx, time.Now(), "re_123")
	_, _ = payments.DisputesOf(ctx, "pi_123")
	mock.age = 25 * time.Hour
	_ = payments.Refund(ctx, p) // searches
	for _, call := range []string{
		"POST /v1/payment_intents", "POST /v1/payment_intents/{id}/confirm", "POST /v1/payment_intents/{id}/cancel",
		"GET /v1/payment_intents/{id}", "GET /v1/payment_intents", "GET /v1/payment_intents/search", "POST /v1/refunds",
		"GET /v1/refunds", "GET /v1/refunds/{id}", "GET /v1/disputes",
	} {
		if mock.calls[call] == 0 {
			t.Errorf("%s was never called: the test proves nothing about it (called: %v)", call, mock.calls)
		}
	}
}

// mock is stripe-mock behind a handler that counts the calls. It fails the test when stripe-mock rejects a request.
type mock struct {
	url      string
	age      time.Duration // how far its clock is ahead
	status   string        // replaces the status of every payment intent; empty: the fixture's
	replayed bool          // marks every response as replayed

	mu    sync.Mutex
	calls map[string]int
}

func (m *mock) now() time.Time { return time.Now().Add(m.age) }

func newMock(t *testing.T) *mock {
	t.Helper()
	document, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	fixtures, err := server.LoadFixtures(embedded.OpenAPIFixtures, "")
	if err != nil {
		t.Fatal(err)
	}
	stub, err := server.NewStubServer(fixtures, document, false, false)
	if err != nil {
		t.Fatal(err)
	}
	m := &mock{calls: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response := httptest.NewRecorder()
		stub.HandleRequest(response, r)
		call := r.Method + " " + withoutIDs(r.URL.Path)
		m.mu.Lock()
		m.calls[call]++
		m.mu.Unlock()
		if response.Code != http.StatusOK {
			t.Errorf("%s returned %d: %s", call, response.Code, response.Body)
		}
		if m.replayed {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		w.WriteHeader(response.Code)
		_, _ = w.Write(m.withStatus(response.Body.Bytes()))
	}))
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

func (m *mock) withStatus(body []byte) []byte {
	var intent map[string]any
	if m.status == "" || json.Unmarshal(body, &intent) != nil || intent["object"] != "payment_intent" {
		return body
	}
	intent["status"] = m.status
	changed, err := json.Marshal(intent)
	if err != nil {
		return body
	}
	return changed
}

var ids = regexp.MustCompile(`/(pi|re)_\w+`)

func withoutIDs(path string) string { return ids.ReplaceAllString(path, "/{id}") }
