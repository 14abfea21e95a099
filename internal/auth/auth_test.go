package auth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/auth/authtest"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

const audience = "doors"

type output struct{ Body string }

// doors returns an API with one operation for each kind of access. Each returns the token's subject.
func doors(t testing.TB, c auth.Config) *httpapi.API {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	who := auth.New(c, audience, log)
	go who.Run(t.Context())
	api := httpapi.New(httpapi.Config{Title: "Doors", Version: "1", Log: log, SecuritySchemes: who.Schemes("Scope key: the door.")})
	api.UseMiddleware(who.Middleware)
	open := func(ctx context.Context, _ *struct{}) (*output, error) {
		return &output{auth.TokenOf(ctx).Subject}, nil
	}
	op := func(name string) huma.Operation {
		return huma.Operation{OperationID: name, Method: http.MethodGet, Path: "/" + name, Description: "Opens."}
	}
	httpapi.Register(api, who.Require(op("locked"), "key", "master"), open)
	httpapi.Register(api, who.Public(op("public")), open)
	httpapi.Register(api, op("forgotten"), open)
	return api
}

// get requests a path with an Authorization header, and returns the response and its problem, if it is one.
func get(t testing.TB, api http.Handler, path, authorization string) (*httptest.ResponseRecorder, problem.Problem) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var p problem.Problem
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: got %q, want a problem", path, w.Body)
		}
	}
	return w, p
}

// claims are those of a client with the key to the locked door, changed by what; nil deletes.
func claims(what map[string]any) map[string]any {
	c := map[string]any{"aud": audience, "sub": "alice", "scope": "openid key"}
	maps.Copy(c, what)
	return c
}

func bearer(t testing.TB, what map[string]any) string {
	t.Helper()
	return "Bearer " + authtest.Token(t, claims(what))
}

func signed(t *testing.T, method jwt.SigningMethod, key any, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, authtest.Claims(claims(nil)))
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

func TestOnlyValidTokensOpen(t *testing.T) {
	t.Parallel()
	api := doors(t, authtest.Config)
	const missing, invalid = "a bearer token is required", "the token is invalid or has expired"
	const invalidToken, noKey = `Bearer error="invalid_token"`, `Bearer error="insufficient_scope", scope="key"`
	const lacksKey = "the token lacks the scope key"
	long := []byte(strings.Repeat("x", 32))
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, test := range map[string]struct {
		authorization string
		status        int
		detail        string
		challenge     string
	}{
		"the key":           {bearer(t, nil), 200, "", ""},
		"lower case":        {"b" + bearer(t, nil)[1:], 200, "", ""},
		"another scope too": {bearer(t, map[string]any{"scope": "master"}), 200, "", ""},
		"clocks differ":     {bearer(t, map[string]any{"exp": in(-5 * time.Second)}), 200, "", ""},
		"none":              {"", 401, missing, "Bearer"},
		"basic":             {"Basic dTpw", 401, missing, "Bearer"},
		"empty":             {"Bearer ", 401, missing, "Bearer"},
		"nonsense":          {"Bearer x.y.z", 401, invalid, invalidToken},
		"unsigned":          {signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), 401, invalid, invalidToken},
		"another key":       {signed(t, jwt.SigningMethodHS256, long, nil), 401, invalid, invalidToken},
		"another algorithm": {signed(t, jwt.SigningMethodHS512, []byte(authtest.Config.Secret), nil), 401, invalid, invalidToken},
		"expired":           {bearer(t, map[string]any{"exp": in(-time.Minute)}), 401, invalid, invalidToken},
		"never expires":     {bearer(t, map[string]any{"exp": nil}), 401, invalid, invalidToken},
		"not valid yet":     {bearer(t, map[string]any{"nbf": in(time.Hour)}), 401, invalid, invalidToken},
		"another issuer":    {bearer(t, map[string]any{"iss": "https://elsewhere"}), 401, invalid, invalidToken},
		"no issuer":         {bearer(t, map[string]any{"iss": nil}), 401, invalid, invalidToken},
		"another audience":  {bearer(t, map[string]any{"aud": "windows"}), 401, invalid, invalidToken},
		"no audience":       {bearer(t, map[string]any{"aud": nil}), 401, invalid, invalidToken},
		"no scope":          {bearer(t, map[string]any{"scope": nil}), 403, lacksKey, noKey},
		"a longer scope":    {bearer(t, map[string]any{"scope": "keys"}), 403, lacksKey, noKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := get(t, api, "/locked", test.authorization)
			if w.Code != test.status || p.Detail != test.detail || w.Header().Get("WWW-Authenticate") != test.challenge {
				t.Errorf("got %d %s %v, want %d", w.Code, w.Body, w.Header(), test.status)
			}
			if w.Code == 200 && strings.TrimSpace(w.Body.String()) != `"alice"` {
				t.Errorf("the handler sees the token of %s", w.Body)
			}
		})
	}
}

// The documented access is enforced: a public operation ignores tokens, and one without a declaration is closed.
func TestOperationsAreAsOpenAsTheySay(t *testing.T) {
	t.Parallel()
	api := doors(t, authtest.Config)
	for path, statuses := range map[string][3]int{
		"/locked": {401, 401, 200}, "/public": {200, 200, 200}, "/forgotten": {401, 401, 403},
	} {
		for i, authorization := range []string{"", "Bearer x.y.z", bearer(t, nil)} {
			if w, _ := get(t, api, path, authorization); w.Code != statuses[i] {
				t.Errorf("%s with %q: got %d %s, want %d", path, authorization, w.Code, w.Body, statuses[i])
			}
		}
	}
	const needs = "Opens.\\n\\nNeeds a token with the scope `key` or `master`."
	if w, _ := get(t, api, "/openapi.json", ""); !strings.Contains(w.Body.String(), needs) {
		t.Errorf("the document does not say which scope is required: %s", w.Body)
	}
	paths := api.OpenAPI().Paths
	for path, documented := range map[string]bool{"/locked": true, "/public": false} {
		for _, status := range []string{"401", "403"} {
			if _, ok := paths[path].Get.Responses[status]; ok != documented {
				t.Errorf("%s: %s is documented: %t, want %t", path, status, ok, documented)
			}
		}
	}
}

func TestNoAuthenticationIsLoggedAndOpensEverything(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	none := auth.Config{Mode: auth.ModeNone}
	auth.New(none, audience, slog.New(slog.NewTextHandler(&logs, nil)))
	if !strings.Contains(logs.String(), "level=WARN") || !strings.Contains(logs.String(), "AUTH_MODE=none") {
		t.Errorf("got %q, want a warning", logs.String())
	}
	api := doors(t, none)
	for _, path := range []string{"/locked", "/public", "/forgotten"} {
		if w, _ := get(t, api, path, ""); w.Code != 200 {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
	if w, _ := get(t, api, "/openapi.json", ""); strings.Contains(w.Body.String(), "token") {
		t.Errorf("the document mentions tokens: %s", w.Body)
	}
}

func TestOfTwoTokensNoneCounts(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/locked", nil)
	r.Header["Authorization"] = []string{bearer(t, nil), "Bearer x.y.z"}
	w := httptest.NewRecorder()
	doors(t, authtest.Config).ServeHTTP(w, r)
	if w.Code != 401 || !strings.Contains(w.Body.String(), "more than once") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// BenchmarkRequests compares a request with a token to one that needs none.
func BenchmarkRequests(b *testing.B) {
	for path, authorization := range map[string]string{"/public": "", "/locked": bearer(b, nil)} {
		b.Run(path[1:], func(b *testing.B) {
			api := doors(b, authtest.Config)
			for b.Loop() {
				if w, _ := get(b, api, path, authorization); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

func TestTokensAreCheckedAgainstTheKeySet(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	set := map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig", "x": encode(public[1:33]), "y": encode(public[33:]),
	}}}
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(server.Close)
	api := doors(t, auth.Config{Mode: auth.ModeJWT, JWKSURL: server.URL, Issuer: authtest.Config.Issuer})
	kid := func(id string) map[string]any { return map[string]any{"kid": id} }
	right := signed(t, jwt.SigningMethodES256, key, kid("one"))
	for range 100 {
		if w, _ := get(t, api, "/locked", right); w.Code != 200 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	if n := fetched.Load(); n > 2 { // the first request may come during the first fetch, and ask for one that begins later
		t.Errorf("the key set was fetched %d times for 100 requests", n)
	}
	for name, authorization := range map[string]string{
		"the public key used as secret":  signed(t, jwt.SigningMethodHS256, public, kid("one")),
		"a key that is not in the set":   signed(t, jwt.SigningMethodES256, key, kid("two")),
		"the secret of another set-up":   bearer(t, nil),
		"the same key, tampered payload": right + "x",
	} {
		if w, _ := get(t, api, "/locked", authorization); w.Code != 401 {
			t.Errorf("%s: got %d %s, want 401", name, w.Code, w.Body)
		}
	}
}
