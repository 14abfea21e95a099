package api

import (
	"errors"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/order"
)

// everyOperation is a request to each operation, about the order keyed.
var everyOperation = map[string]string{
	"POST /orders":                               twoMugs,
	"GET /orders":                                "",
	"GET /orders/" + string(keyed):               "",
	"GET /orders/" + string(keyed) + "/timeline": "",
	"GET /orders/" + string(keyed) + "/events":   "",
	"POST /orders/" + string(keyed) + "/cancel":  `{"reason":"ordered twice"}`,

	"GET /orders/" + string(keyed) + "/refunds":                                   "",
	"GET " + refundPath(order.Refund{OrderID: keyed, ID: refundID(keyed, "k-1")}): "",
	"POST /orders/" + string(keyed) + "/refunds":                                  oneBack,
}

// operatorsOnly reports whether a customer's token is not enough for a request to an operation.
func operatorsOnly(request string) bool {
	return strings.HasPrefix(request, "POST ") && strings.HasSuffix(request, "/refunds")
}

func TestEveryOperationRejectsAlike(t *testing.T) {
	t.Parallel()
	for request, body := range everyOperation {
		method, path, _ := strings.Cut(request, " ")
		mine := token(t, "42", scopeOrders)
		if operatorsOnly(request) {
			mine = token(t, "1", scopeOperator)
		}
		for name, test := range map[string]struct {
			query   string
			headers []string
			status  int
			kind    string
		}{
			"no token":        {"", nil, 401, "unauthenticated"},
			"a broken token":  {"", []string{"Authorization: Bearer x.y.z"}, 401, "unauthenticated"},
			"another scope":   {"", []string{token(t, "42", "profile")}, 403, "forbidden"},
			"a broken query":  {"?%", []string{mine}, 400, "malformed-request"},
			"another query":   {"?verbose=1", []string{mine}, 422, "invalid-request"},
			"not JSON inside": {"", []string{mine, "Content-Type: text/plain"}, 415, "unsupported-media-type"},
		} {
			if test.status == 415 && body == "" {
				continue // the operation has no body
			}
			got := newTestAPIWith(t, hesitates, withTokens).send(t, method, path+test.query, body, test.headers...)
			if got.status != test.status || got.body["type"] != "/problems/"+test.kind ||
				got.header.Get("X-Request-ID") != "test-1" || got.body["instance"] != "test-1" {
				t.Errorf("%s, %s: got %d %s, want %d %s", request, name, got.status, got.raw, test.status, test.kind)
			}
		}
	}
}

func TestErrorsOfTheStoreDoNotLeak(t *testing.T) {
	t.Parallel()
	for request, body := range everyOperation {
		api := newTestAPI(t, confirms)
		api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
		api.store.breakIt(errors.New("dial tcp 10.0.0.7:5432: password=hunter2"))
		method, path, _ := strings.Cut(request, " ")
		got := api.send(t, method, path, body, "Idempotency-Key: k-1")
		if got.status != 503 || got.body["type"] != "/problems/unavailable" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, want 503 unavailable", request, got.status, got.raw)
		}
		for _, secret := range []string{"hunter2", "10.0.0.7", "dial"} {
			if strings.Contains(got.raw, secret) {
				t.Errorf("%s: %s leaks %s", request, got.raw, secret)
			}
		}
	}
}
