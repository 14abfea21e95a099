package api

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/auth/authtest"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// withTokens requires tokens, withoutTokens does not.
var (
	withTokens    = authtest.Config
	withoutTokens = auth.Config{Mode: auth.ModeNone}
)

// sign returns an Authorization header for user 42, with its claims changed by what; nil deletes.
func sign(t testing.TB, what map[string]any) string {
	t.Helper()
	claims := map[string]any{"aud": "orders", "sub": "42", "scope": "openid " + scopeOrders}
	maps.Copy(claims, what)
	return "Authorization: Bearer " + authtest.Token(t, claims)
}

func TestTokensWithoutAUserAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header string
		status int
		detail string
	}{
		"no token":         {"Nothing: ", 401, "a bearer token is required"},
		"another audience": {sign(t, map[string]any{"aud": "catalog"}), 401, "the token is invalid or has expired"},
		"no user":          {sign(t, map[string]any{"sub": "alice"}), 401, "the token's sub is not a user's ID"},
		"user 0":           {sign(t, map[string]any{"sub": "0"}), 401, "the token's sub is not a user's ID"},
		"user +42":         {sign(t, map[string]any{"sub": "+42"}), 401, "the token's sub is not a user's ID"},
		"user 042":         {sign(t, map[string]any{"sub": "042"}), 401, "the token's sub is not a user's ID"},
		"user -42":         {sign(t, map[string]any{"sub": "-42"}), 401, "the token's sub is not a user's ID"},
		"a blank user":     {sign(t, map[string]any{"sub": " 42"}), 401, "the token's sub is not a user's ID"},
		"no scope":         {sign(t, map[string]any{"scope": nil}), 403, "the token lacks the scope orders"},
		"another scope":    {sign(t, map[string]any{"scope": "orders:read"}), 403, "the token lacks the scope orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTestAPIWith(t, confirms, withTokens)
			for _, path := range []string{"/orders", "/orders/" + string(keyed)} {
				got := api.send(t, "GET", path, "", test.header)
				if got.status != test.status || got.body["detail"] != test.detail || got.body["instance"] != "test-1" {
					t.Errorf("GET %s: got %d %s, want %d %s", path, got.status, got.raw, test.status, test.detail)
				}
				if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Bearer") {
					t.Error("WWW-Authenticate is missing")
				}
			}
			if got := api.send(t, "POST", "/orders", twoMugs, test.header); got.status != test.status || len(api.engine.started) != 0 {
				t.Errorf("POST /orders: got %d %s", got.status, got.raw)
			}
		})
	}
}

func TestCustomersActForThemselvesOnly(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, confirms, withTokens)
	mine, theirs := sign(t, nil), sign(t, map[string]any{"sub": "43"})
	if got := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", mine); got.status != 201 {
		t.Fatalf("got %d %s, want 201", got.status, got.raw)
	}
	for _, r := range []struct{ method, path string }{{"GET", ""}, {"GET", "/timeline"}, {"POST", "/cancel"}} {
		got := api.send(t, r.method, "/orders/"+string(keyed)+r.path, "", theirs)
		if got.status != 404 || got.body["type"] != "/problems/order-not-found" {
			t.Errorf("%s %s of another user: got %d %s, want 404", r.method, r.path, got.status, got.raw)
		}
	}
	for _, r := range []struct{ method, path, body string }{{"POST", "/orders", twoMugs}, {"GET", "/orders?userId=42", ""}} {
		if got := api.send(t, r.method, r.path, r.body, theirs); got.status != 403 {
			t.Errorf("%s %s for another user: got %d %s, want 403", r.method, r.path, got.status, got.raw)
		}
	}
	api.send(t, "GET", "/orders", "", theirs).want(t, 200, `{"orders":[]}`)
	if got := api.send(t, "GET", "/orders", "", mine); len(got.body["orders"].([]any)) != 1 {
		t.Errorf("got %s, want one's own order", got.raw)
	}
	timeline := api.send(t, "GET", "/orders/"+string(keyed)+"/timeline", "", mine)
	if timeline.status != 200 || strings.Contains(timeline.raw, "for operators") {
		t.Errorf("got %d %s, want it without details", timeline.status, timeline.raw)
	}
}

func TestOrderThatHasNoRowYetIsAlsoItsUsersOnly(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, sleeps, withTokens)
	api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", sign(t, nil))
	for user, status := range map[string]int{"42": 200, "43": 404} {
		if got := api.send(t, "GET", "/orders/"+string(keyed), "", sign(t, map[string]any{"sub": user})); got.status != status {
			t.Errorf("user %s: got %d, want %d", user, got.status, status)
		}
	}
}

func TestOperatorsActForEveryUser(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, hesitates, withTokens)
	api.engine.cancel = fences
	operator := sign(t, map[string]any{"sub": "alice", "scope": "orders:operator"})
	api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", sign(t, nil))
	if got := api.send(t, "GET", "/orders/"+string(keyed), "", operator); got.status != 200 {
		t.Errorf("got %d %s, want 200", got.status, got.raw)
	}
	if got := api.send(t, "GET", "/orders", "", operator); len(got.body["orders"].([]any)) != 1 {
		t.Errorf("got %s, want all orders", got.raw)
	}
	api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", "", operator)
	if len(api.engine.cancels) != 1 || api.engine.cancels[0].By != workflows.ByOperator {
		t.Errorf("got %+v, want a cancellation by an operator", api.engine.cancels)
	}
}

func TestDocumentsAndProbesNeedNoToken(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, confirms, withTokens)
	for _, path := range []string{"/docs", "/openapi.json", "/problems", "/livez", "/readyz"} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: got %d, want 200", path, w.Code)
		}
	}
}

func TestSeesNothingWithoutAuthentication(t *testing.T) {
	t.Parallel()
	if (principal{}).sees(42) || principalOf(t.Context()).sees(42) {
		t.Error("an unauthenticated request sees orders")
	}
}

func TestKeyBelongsToTheUserOfTheToken(t *testing.T) {
	t.Parallel()
	api := newTestAPIWith(t, confirms, withTokens)
	ids := map[order.ID]bool{}
	for _, user := range []string{"42", "43"} {
		got := api.send(t, "POST", "/orders", strings.Replace(twoMugs, "42", user, 1), "Idempotency-Key: k-1", sign(t, map[string]any{"sub": user}))
		ids[order.ID(got.body["id"].(string))] = true
	}
	if len(ids) != 2 {
		t.Errorf("got %v, want an order per user", ids)
	}
}
