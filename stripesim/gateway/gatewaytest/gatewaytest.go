// Package gatewaytest runs payment gateways for tests, and calls them as an operator would.
package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

// APIKey is the key of all gateways here.
const APIKey = "sk_test_never_show_this"

// Ledger returns a new database for gateways. Gateways over the same ledger are like processes of one service: they share
// the money but not the faults.
func Ledger(t testing.TB) *pgdb.DB {
	t.Helper()
	return LedgerAt(t, servicestest.Postgres(t))
}

// LedgerAt returns the database at the URL for gateways.
func LedgerAt(t testing.TB, databaseURL string) *pgdb.DB {
	t.Helper()
	db, err := pgdb.Open(context.Background(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := gateway.Migrate(context.Background(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// Gateway is a running gateway. Its URL is the one for clients.
type Gateway struct {
	*gateway.Gateway
	*httptest.Server
	t testing.TB
}

// Start runs a gateway over the ledger until the test ends. change may set options.
func Start(t testing.TB, ledger *pgdb.DB, log *slog.Logger, change ...func(*gateway.Options)) *Gateway {
	t.Helper()
	options := gateway.Options{APIKey: APIKey, KeyLife: 24 * time.Hour}
	for _, c := range change {
		c(&options)
	}
	g := gateway.New(ledger, options, log)
	server := httptest.NewServer(g.Handler())
	t.Cleanup(server.Close)
	return &Gateway{Gateway: g, Server: server, t: t}
}

// SetFaults replaces the gateway's fault rules.
func (g *Gateway) SetFaults(rules ...gateway.Rule) {
	g.t.Helper()
	body, err := json.Marshal(append([]gateway.Rule{}, rules...))
	if err != nil {
		g.t.Fatal(err)
	}
	g.call(http.MethodPut, "/_sim/faults", "application/json", body, nil)
}

// Faults returns the fault rules, with how many times each has struck.
func (g *Gateway) Faults() (rules []gateway.Rule) {
	g.t.Helper()
	g.call(http.MethodGet, "/_sim/faults", "", nil, &rules)
	return rules
}

// Post calls the gateway's API and returns the ID in the response.
func (g *Gateway) Post(path string, params url.Values) string {
	g.t.Helper()
	var object struct{ ID string }
	g.call(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(params.Encode()), &object)
	return object.ID
}

func (g *Gateway) call(method, path, contentType string, body []byte, into any) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, g.URL+path, bytes.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+APIKey)
	req.Header.Set("Content-Type", contentType)
	res, err := g.Client().Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		g.t.Fatalf("%s %s returns %s", method, path, res.Status)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// Money returns the order's money at the gateway.
func (g *Gateway) Money(orderID string) gateway.OrderLedger {
	g.t.Helper()
	ledger, err := g.Audit(context.Background(), orderID)
	if err != nil {
		g.t.Fatal(err)
	}
	if len(ledger.Orders) == 0 {
		return gateway.OrderLedger{OrderID: orderID}
	}
	return ledger.Orders[0]
}

// PayByHand takes money for an order as an operator would in the gateway's dashboard, and returns the payment's ID. amount is
// in US cents.
func (g *Gateway) PayByHand(orderID, amount string) string {
	g.t.Helper()
	intent := g.Post("/v1/payment_intents", url.Values{
		"amount": {amount}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}, "metadata[order_id]": {orderID},
	})
	return g.Post("/v1/payment_intents/"+intent+"/confirm", nil)
}

// RefundByHand refunds part of a payment as an operator would in the gateway's dashboard, without our metadata, and returns the
// refund's ID. amount is in Stripe's smallest unit.
func (g *Gateway) RefundByHand(paymentID, amount string) string {
	g.t.Helper()
	return g.Post("/v1/refunds", url.Values{"payment_intent": {paymentID}, "amount": {amount}})
}

// ChangeRefund gives a refund another status, as a bank or an operator at the dashboard would.
func (g *Gateway) ChangeRefund(id, status string) {
	g.t.Helper()
	g.Post("/_sim/refunds/"+id, url.Values{"status": {status}})
}

// Dispute disputes a payment, as the customer's bank would, and returns the dispute's ID.
func (g *Gateway) Dispute(paymentID string) string {
	g.t.Helper()
	return g.Post("/_sim/disputes", url.Values{"payment_intent": {paymentID}})
}

// EndDispute decides a dispute: it is won or lost.
func (g *Gateway) EndDispute(id string, won bool) {
	g.t.Helper()
	evidence := "losing_evidence"
	if won {
		evidence = "winning_evidence"
	}
	g.Post("/v1/disputes/"+id, url.Values{"evidence[uncategorized_text]": {evidence}})
}

// Secrets finds the lines of text that hold something secret of a gateway.
func Secrets(text string) (lines []string) {
	for line := range strings.Lines(text) {
		for _, secret := range []string{APIKey, "_secret_", "sk_test_"} {
			if strings.Contains(line, secret) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines
}
