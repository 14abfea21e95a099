package catalog

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/auth/authtest"
	"github.com/ordersaga/ordersaga/internal/httpapi"
)

// public is the scope of operations that need no token.
const public = ""

const price = `{"amount": 1, "currency": "EUR"}`

// everyOperation is a call of each operation, by its ID, in a shop with 3 kettles: order one holds one, and order three has
// bought one.
var everyOperation = map[string]struct {
	request, body, scope string
	status               int // with the scope
}{
	"listProducts":  {"GET /products", "", public, 200},
	"getProduct":    {"GET /products/kettle", "", public, 200},
	"priceProducts": {"POST /prices", `{"productIds": ["kettle"]}`, public, 200},

	"createProduct":  {"POST /products", `{"id": "cup", "name": "Cup", "price": ` + price + `, "category": "x"}`, scopeManager, 201},
	"replaceProduct": {"PUT /products/kettle", `{"name": "Pot", "price": ` + price + `, "category": "x"}`, scopeManager, 200},
	"changeProduct":  {"PATCH /products/kettle", `{"price": ` + price + `}`, scopeManager, 200},
	"deleteProduct":  {"DELETE /products/lamp", "", scopeManager, 204},
	"getStock":       {"GET /products/kettle/stock", "", scopeManager, 200},
	"restockProduct": {"POST /products/kettle/restock", `{"quantity": 1}`, scopeManager, 200},
	"correctStock":   {"POST /products/kettle/corrections", `{"quantity": -1, "reason": "broken"}`, scopeManager, 200},

	"reserveStock":   {"PUT " + two, hold(oneKettle), scopeReservations, 200},
	"commitStock":    {"POST " + one + "/commit", "", scopeReservations, 200},
	"returnStock":    {"PUT " + three + returnOne, returns(oneKettle), scopeReservations, 200},
	"releaseStock":   {"DELETE " + one, "", scopeReservations, 200},
	"getReservation": {"GET " + one, "", scopeReservations, 200},
}

// bearer returns an Authorization header with a scope, and with changes to the other claims.
func bearer(t *testing.T, scope string, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"aud": "catalog", "sub": "tester", "scope": "openid " + scope}
	maps.Copy(claims, changes)
	return "Authorization: Bearer " + authtest.Token(t, claims)
}

// guarded returns the API with authentication, over the shop of everyOperation.
func guarded(t *testing.T) *httpapi.API {
	t.Helper()
	store := memorytest.New()
	api := serve(t, store)
	for _, id := range []string{"kettle", "lamp"} {
		body := fmt.Sprintf(`{"id": %q, "name": "A thing", "price": %s, "stock": 3, "category": "x"}`, id, price)
		if a := send(t, api, "POST", "/products", body); a.status != 201 {
			t.Fatalf("seed: %d %v", a.status, a.body)
		}
	}
	holdKettle(t, api)
	sellKettle(t, api)
	return serveAt(t, store, func() time.Time { return clock }, authtest.Config)
}

func TestEveryOperationRequiresItsScope(t *testing.T) {
	t.Parallel()
	for id, op := range everyOperation {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			other := scopeManager
			if op.scope == scopeManager {
				other = scopeReservations
			}
			api := guarded(t)
			call := func(authorization string) response {
				method, path, _ := strings.Cut(op.request, " ")
				headers := []string{authorization, anyVersion}
				if id == "restockProduct" || id == "correctStock" {
					headers = append(headers, "Idempotency-Key: k-1")
				}
				return send(t, api, method, path, op.body, headers...)
			}
			expired := map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}
			otherAudience := map[string]any{"aud": "orders"}
			insufficient := `Bearer error="insufficient_scope", scope="` + op.scope + `"`
			for _, test := range []struct {
				who, authorization string
				status             int
				problem, challenge string
			}{
				{"no token", "X-Nothing: 1", 401, "unauthenticated", "Bearer"},
				{"expired", bearer(t, op.scope, expired), 401, "unauthenticated", `Bearer error="invalid_token"`},
				{"wrong audience", bearer(t, op.scope, otherAudience), 401, "unauthenticated", `Bearer error="invalid_token"`},
				{"wrong scope", bearer(t, other, nil), 403, "forbidden", insufficient},
				{"a customer's scope", bearer(t, "orders", nil), 403, "forbidden", insufficient},
			} {
				got := call(test.authorization)
				if op.scope == public {
					if got.status != op.status {
						t.Errorf("%s: got %d %v, want %d: it needs no token", test.who, got.status, got.body, op.status)
					}
					continue
				}
				if challenge := got.header.Get("WWW-Authenticate"); challenge != test.challenge {
					t.Errorf("%s: WWW-Authenticate is %q, want %q", test.who, challenge, test.challenge)
				}
				want(t, test.who, got, test.status, `{"type": "/problems/`+test.problem+`"}`)
			}
			if got := call(bearer(t, op.scope, nil)); got.status != op.status {
				t.Errorf("right scope: got %d %v, want %d", got.status, got.body, op.status)
			}
		})
	}
}

// It also checks that the table above is complete.
func TestEveryOperationDocumentsItsScope(t *testing.T) {
	t.Parallel()
	documented := map[string]string{}
	for _, item := range guarded(t).OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			switch {
			case op == nil:
			case op.Security == nil:
				t.Errorf("%s does not document who may call it", op.OperationID)
			case len(op.Security) == 0:
				documented[op.OperationID] = public
			default:
				documented[op.OperationID] = op.Security[0]["token"][0]
			}
		}
	}
	wanted := map[string]string{}
	for id, op := range everyOperation {
		wanted[id] = op.scope
	}
	if diff := cmp.Diff(wanted, documented); diff != "" {
		t.Errorf("scopes (-want +documented):\n%s", diff)
	}
}

func TestDocumentsAndProbesNeedNoToken(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/docs", "/openapi.json", "/problems", "/livez", "/readyz"} {
		w := httptest.NewRecorder()
		guarded(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, w.Code)
		}
	}
}

// A token that cannot be checked is not the caller's mistake.
func TestTokensCannotBeCheckedWhileTheKeyServerIsDown(t *testing.T) {
	t.Parallel()
	keys := auth.Config{Mode: auth.ModeJWT, JWKSURL: "http://127.0.0.1:1/keys", Issuer: authtest.Config.Issuer}
	api := serveAt(t, memorytest.New(), func() time.Time { return clock }, keys)
	for id, op := range everyOperation {
		method, path, _ := strings.Cut(op.request, " ")
		got := send(t, api, method, path, op.body, aKey, anyVersion, asymmetricBearer(t, op.scope))
		if op.scope == public {
			if got.status == 503 {
				t.Errorf("%s: got %d %v, though it needs no token", id, got.status, got.body)
			}
			continue
		}
		want(t, id, got, 503, `{"type": "/problems/unavailable"}`)
	}
}

// asymmetricBearer returns an Authorization header with a token that only a key server's keys can verify.
func asymmetricBearer(t *testing.T, scope string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := authtest.Claims(map[string]any{"aud": "catalog", "sub": "tester", "scope": scope})
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + token
}
