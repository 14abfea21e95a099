package gateway_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/clocktest"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

const apiKey = gatewaytest.APIKey

// sim is a running gateway with its own ledger.
type sim struct {
	t     *testing.T
	url   string
	pool  *pgdb.DB
	clock *clocktest.Clock
	*gateway.Gateway
}

func start(t *testing.T, change ...func(*gateway.Options)) *sim {
	t.Helper()
	t.Parallel()
	s := &sim{t: t, pool: gatewaytest.Ledger(t), clock: clocktest.At(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))}
	s.serve(change...)
	return s
}

// serve starts a gateway over the ledger.
func (s *sim) serve(change ...func(*gateway.Options)) {
	s.t.Helper()
	defaults := func(o *gateway.Options) { o.SearchDelay, o.Now = time.Minute, s.clock.Now }
	g := gatewaytest.Start(s.t, s.pool, slog.New(slog.DiscardHandler), append([]func(*gateway.Options){defaults}, change...)...)
	s.Gateway, s.url = g.Gateway, g.URL
}

// reply is a response of the gateway.
type reply struct {
	status   int
	replayed bool
	header   http.Header
	text     string
	body     map[string]any
}

// id returns the ID in the response. It fails the test if the call did not succeed.
func (r reply) id(t *testing.T) string {
	t.Helper()
	id, ok := r.body["id"].(string)
	if r.status != 200 || !ok {
		t.Fatalf("status %d: %s", r.status, r.text)
	}
	return id
}

// problem returns the fields of the error object that say what is wrong.
func (r reply) problem() map[string]any {
	out := map[string]any{"status": r.status}
	e, _ := r.body["error"].(map[string]any)
	for _, field := range []string{"type", "code", "decline_code", "param"} {
		if v, ok := e[field]; ok {
			out[field] = v
		}
	}
	return out
}

func (s *sim) do(method, path, key, body string, header http.Header) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Error(err)
		return reply{}
	}
	r := reply{status: res.StatusCode, replayed: res.Header.Get("Idempotent-Replayed") == "true", header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body) // the page is not JSON
	return r
}

func (s *sim) get(path string) reply { s.t.Helper(); return s.do(http.MethodGet, path, "", "", nil) }

func (s *sim) post(path, key string, params ...string) reply {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return s.do(http.MethodPost, path, key, form.Encode(), nil)
}

func (s *sim) create(key, method string, more ...string) reply {
	s.t.Helper()
	return s.post("/v1/payment_intents", key, append([]string{
		"amount", "1299", "currency", "usd", "payment_method", method, "payment_method_types[0]", "card", "metadata[order_id]", "order-1",
	}, more...)...)
}

// paid returns the ID of an intent that has succeeded.
func (s *sim) paid() string {
	s.t.Helper()
	id := s.create("", "pm_card_visa").id(s.t)
	s.post("/v1/payment_intents/"+id+"/confirm", "").id(s.t)
	return id
}

func wantProblem(t *testing.T, r reply, want map[string]any) {
	t.Helper()
	if diff := cmp.Diff(want, r.problem()); diff != "" {
		t.Errorf("error (-want +got):\n%s\nin: %s", diff, r.text)
	}
}

func (s *sim) faults(rules string) {
	s.t.Helper()
	if r := s.do(http.MethodPut, "/_sim/faults", "", rules, nil); r.status != 200 {
		s.t.Fatalf("setting the faults returns %d: %s", r.status, r.text)
	}
}

func (s *sim) audit(orderID string) gateway.OrderLedger {
	s.t.Helper()
	ledger, err := s.Audit(s.t.Context(), orderID)
	if err != nil || len(ledger.Orders) != 1 {
		s.t.Fatalf("the ledger of %s: %+v, %v", orderID, ledger, err)
	}
	return ledger.Orders[0]
}
