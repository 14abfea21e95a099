package stripe_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/stripe"
)

// contract is what every gateway that remembers must do under the adapter, the simulator and the real one alike: what the
// fake of the saga's tests does as well, and more. It uses nothing but the adapter itself, because that is all that the
// real one has.
func contract(t *testing.T, payments *stripe.Payments) {
	t.Helper()
	began := time.Now().Add(-time.Minute)
	payment := func(method string) order.Payment {
		return order.Payment{
			OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method, OrderedAt: time.Now(),
		}
	}
	t.Run("the key is accepted", func(t *testing.T) {
		t.Parallel()
		if err := payments.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	ordertest.PaymentsContract(t, payments)
	t.Run("payments are listed with their orders", func(t *testing.T) {
		t.Parallel()
		p := payment("pm_card_visa")
		id, err := payments.Charge(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := payments.GiveBack(t.Context(), p.OrderID, id); err != nil {
			t.Fatal(err)
		}
		want := order.GatewayPayment{ID: id, OrderID: p.OrderID, Captured: 1299, Refunded: 1299, Currency: "USD"}
		for got, err := range payments.PaymentsSince(t.Context(), began) {
			if err != nil {
				t.Fatal(err)
			}
			if got.ID == id {
				got.CreatedAt = time.Time{}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("listed (-want +got):\n%s", diff)
				}
				return
			}
		}
		t.Error("the payment is not listed")
	})
	t.Run("an unknown payment is not found", func(t *testing.T) {
		t.Parallel()
		wantNotFound(t, payments)
	})
}

func TestContractOverTheSimulator(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ledger(t))
	t.Run("contract", func(t *testing.T) { contract(t, w.payments) })
}

func TestContractOverTheRealGateway(t *testing.T) {
	t.Parallel()
	key := os.Getenv("STRIPE_TEST_KEY")
	if key == "" {
		t.Skip("STRIPE_TEST_KEY is not set: it takes the secret key of a Stripe test account (sk_test_…) to ask the real gateway")
	}
	if len(key) < 8 || key[:8] != "sk_test_" {
		t.Fatal("STRIPE_TEST_KEY is not a test key (sk_test_…): no test may move money")
	}
	payments, err := stripe.New(stripe.Config{URL: "https://api.stripe.com", Key: key, Timeout: 30 * time.Second}, discard)
	if err != nil {
		t.Fatal(err)
	}
	contract(t, payments)
}

// TestEveryRequestIsOneThatTheAPIDescribes sends each of the adapter's requests to Stripe's own mock, which remembers
// nothing but holds every path and parameter against the OpenAPI document of the real gateway.
func TestEveryRequestIsOneThatTheAPIDescribes(t *testing.T) {
	t.Parallel()
	mock := newMock(t)
	payments, err := stripe.New(stripe.Config{URL: mock.url, Key: "sk_test_123", Now: mock.now}, discard)
	if err != nil {
		t.Fatal(err)
	}
	p := order.Payment{
		OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: "pm_card_visa", OrderedAt: time.Now(),
	}
	ctx := t.Context()
	// The answers are fixtures that say nothing about this payment: what is made of them is for the contract.
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
	mock.age = 25 * time.Hour
	_ = payments.Refund(ctx, p) // searches
	for _, call := range []string{
		"POST /v1/payment_intents", "POST /v1/payment_intents/{id}/confirm", "POST /v1/payment_intents/{id}/cancel",
		"GET /v1/payment_intents/{id}", "GET /v1/payment_intents", "GET /v1/payment_intents/search", "GET /v1/refunds",
		"POST /v1/refunds",
	} {
		if mock.calls[call] == 0 {
			t.Errorf("%s was never called: the test proves nothing about it (called: %v)", call, mock.calls)
		}
	}
}

// mock is stripe-mock behind a handler that takes notes. It fails the test when a request is refused.
type mock struct {
	url    string
	age    time.Duration // how much later it is than in reality
	status string        // of every payment intent, in place of the fixture's; "": the fixture's

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
		answer := httptest.NewRecorder()
		stub.HandleRequest(answer, r)
		call := r.Method + " " + withoutIDs(r.URL.Path)
		m.mu.Lock()
		m.calls[call]++
		m.mu.Unlock()
		if answer.Code != http.StatusOK {
			t.Errorf("%s is answered with %d: %s", call, answer.Code, answer.Body)
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(m.withStatus(answer.Body.Bytes()))
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

var ids = regexp.MustCompile(`/pi_\w+`)

func withoutIDs(path string) string { return ids.ReplaceAllString(path, "/{id}") }

func wantNotFound(t *testing.T, payments *stripe.Payments) {
	t.Helper()
	if got, err := payments.Payment(t.Context(), "pi_nobody_knows_it"); !errors.Is(err, order.ErrPaymentNotFound) {
		t.Errorf("%+v, %v; want that it is not found", got, err)
	}
}
