package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

const apiKey = "sk_test_never_show_this"

// ledger returns a database for simulators. Gateways over the same database are like processes of one service, each with its
// own faults.
func ledger(t *testing.T) *pgxpool.Pool {
	t.Helper()
	url := servicestest.Postgres(t)
	ctx := context.Background()
	pool, err := pgdb.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := gateway.Migrate(ctx, pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

// world is an adapter over a running simulator.
type world struct {
	t        *testing.T
	gateway  *gateway.Gateway
	server   *httptest.Server
	payments *stripe.Payments
	clock    *clocktest.Clock
	told     *transcript // everything logged or returned as an error
}

func newWorld(t *testing.T, pool *pgxpool.Pool, change ...func(*gateway.Options, *stripe.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: clocktest.At(time.Now()), told: &transcript{}}
	log := slog.New(slog.NewJSONHandler(w.told, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options := gateway.Options{APIKey: apiKey, KeyLife: 24 * time.Hour, Now: w.clock.Now}
	config := stripe.Config{
		Key: apiKey, Now: w.clock.Now, Timeout: 20 * time.Second,
		// On a kept connection, net/http repeats a request without a response by itself, which would hide the fault.
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	for _, c := range change {
		c(&options, &config)
	}
	w.gateway = gateway.New(pool, options, log)
	w.server = httptest.NewServer(w.gateway.Handler())
	t.Cleanup(w.server.Close)
	config.URL = w.server.URL
	var err error
	if w.payments, err = stripe.New(config, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.told.scan(t) })
	return w
}

// payment returns the payment of a new order over 12.99 USD, placed now.
func (w *world) payment(method string) order.Payment {
	return order.Payment{
		OrderID: order.ID(uuid.NewString()), Amount: money.Money{Amount: 1299, Currency: "USD"}, Method: method, OrderedAt: w.clock.Now(),
	}
}

func (w *world) charge(p order.Payment) (string, error) {
	id, err := w.payments.Charge(w.t.Context(), p)
	w.told.error(err)
	return id, err
}

func (w *world) refund(p order.Payment) error {
	err := w.payments.Refund(w.t.Context(), p)
	w.told.error(err)
	return err
}

// settle repeats a broken call until it succeeds or is refused, as the saga does.
func (w *world) settle(call func() error) error {
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := call()
		var refusal *order.Refusal
		if err == nil || errors.As(err, &refusal) {
			return err
		}
		if time.Now().After(deadline) {
			w.t.Errorf("still broken after 30 s: %v", err)
			return err
		}
	}
}

func (w *world) settleCharge(p order.Payment) (id string, err error) {
	err = w.settle(func() (err error) {
		id, err = w.charge(p)
		return err
	})
	return id, err
}

func (w *world) settleRefund(p order.Payment) {
	w.t.Helper()
	if err := w.settle(func() error { return w.refund(p) }); err != nil {
		w.t.Errorf("the refund: %v", err)
	}
}

// faults replaces the gateway's faults, as an operator would.
func (w *world) faults(rules ...gateway.Rule) {
	w.t.Helper()
	body, err := json.Marshal(append([]gateway.Rule{}, rules...))
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, w.server.URL+"/_sim/faults", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("setting the faults returns %s", res.Status)
	}
}

// wantStruck checks that the first of the faults has struck. Otherwise the test proves nothing.
func (w *world) wantStruck() {
	w.t.Helper()
	res, err := http.Get(w.server.URL + "/_sim/faults")
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var rules []gateway.Rule
	if err := json.NewDecoder(res.Body).Decode(&rules); err != nil {
		w.t.Fatal(err)
	}
	if rules[0].Struck == 0 {
		w.t.Errorf("the fault has not struck: %+v", rules)
	}
}

// post calls the gateway directly, as an operator in its dashboard would.
func (w *world) post(path string, params url.Values) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.URL+path, strings.NewReader(params.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+apiKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s returns %s", path, res.Status)
	}
}

// books returns the order's money at the gateway.
func (w *world) books(p order.Payment) gateway.OrderLedger {
	w.t.Helper()
	all, err := w.gateway.Audit(context.Background(), string(p.OrderID))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(all.Orders) == 0 {
		return gateway.OrderLedger{OrderID: string(p.OrderID)}
	}
	return all.Orders[0]
}

func (w *world) wantCapturedOnce(p order.Payment) {
	w.t.Helper()
	if b := w.books(p); b.Captures != 1 || b.Net != p.Amount.Amount {
		w.t.Errorf("order %s: captured %d time(s), net %d; want once, %d", p.OrderID, b.Captures, b.Net, p.Amount.Amount)
	}
}

func (w *world) wantNothingKept(p order.Payment) {
	w.t.Helper()
	if b := w.books(p); b.Net != 0 || b.Captures > 1 {
		w.t.Errorf("order %s: captured %d time(s), net %d; want nothing kept", p.OrderID, b.Captures, b.Net)
	}
}

// wantRefused checks that err refuses the payment with the decline code.
func wantRefused(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *order.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("want a refusal (%s), got %v", code, err)
		return
	}
	if refusal.Cause.Reason != order.PaymentDeclined || refusal.Cause.DeclineCode != code {
		t.Errorf("refused as %s (%s), want PAYMENT_DECLINED (%s)", refusal.Cause.Reason, refusal.Cause.DeclineCode, code)
	}
}

// transcript collects text and searches it for secrets.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *transcript) error(err error) {
	if err != nil {
		_, _ = s.Write([]byte(err.Error() + "\n"))
	}
}

// scan fails the test if the text holds a secret.
func (s *transcript) scan(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.text.String()) {
		for _, secret := range []string{apiKey, "_secret_", "sk_test_"} {
			if strings.Contains(line, secret) {
				t.Errorf("%q appears in: %s", secret, line)
			}
		}
	}
}

var discard = slog.New(slog.DiscardHandler)
