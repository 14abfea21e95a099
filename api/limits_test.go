package api

import (
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/httpapi"
)

func TestRequestsOfAUserAreLimitedFromAllAddresses(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, confirms, withTokens)
	limited := newLimitedAPI(t, httpapi.NewLimiter("user", 0.001, 1))
	mine, theirs, operator := token(t, "42", scopeOrders), token(t, "43", scopeOrders), token(t, "1", scopeOperator)
	for i, test := range []struct {
		api    *testAPI
		who    string
		status int
	}{
		{limited, mine, 200}, {limited, mine, 429}, {limited, theirs, 200}, {limited, operator, 200}, {limited, operator, 200},
		{api, mine, 200}, {api, mine, 200},
	} {
		got := test.api.send(t, "GET", "/orders", "", test.who)
		if got.status != test.status {
			t.Errorf("request %d: got %d %s, want %d", i, got.status, got.raw, test.status)
		}
		if got.status == 429 && (got.body["type"] != "/problems/too-many-requests" ||
			got.header.Get("Retry-After") == "" || got.header.Get("RateLimit") == "") {
			t.Errorf("request %d: got %v %s", i, got.header, got.raw)
		}
	}
}

func TestEveryOperationIsLimited(t *testing.T) {
	t.Parallel()
	for request, body := range everyOperation {
		api, mine := newLimitedAPI(t, httpapi.NewLimiter("user", 0.001, 1)), token(t, "42", scopeOrders)
		if operatorsOnly(request) { // operators are limited by address alone
			api, mine = newCrowdedAPI(t), token(t, "1", scopeOperator)
		}
		method, path, _ := strings.Cut(request, " ")
		api.send(t, "GET", "/orders", "", mine)
		if got := api.send(t, method, path, body, mine); got.status != 429 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, want 429", request, got.status, got.raw)
		}
	}
}
