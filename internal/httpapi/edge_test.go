package httpapi_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/httpapi"
)

func edgeAPI(e httpapi.Edge) *httpapi.API {
	return httpapi.New(httpapi.Config{Title: "Things", Version: "1.0.0", Log: slog.New(slog.DiscardHandler), Edge: e})
}

// from requests the list of problems from an address.
func from(h http.Handler, address string, headers ...string) *http.Response {
	req := httptest.NewRequest("GET", "/problems", nil)
	req.RemoteAddr = address
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result()
}

func TestEachAddressHasABucketOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := edgeAPI(httpapi.Edge{AddressRate: 0.5, AddressBurst: 2})
		for i, want := range []struct {
			status int
			limit  string
		}{{200, `"address";r=1;t=2`}, {200, `"address";r=0;t=4`}, {429, `"address";r=0;t=4`}} {
			res := from(api, "192.0.2.1:1")
			if res.StatusCode != want.status || res.Header.Get("RateLimit") != want.limit ||
				res.Header.Get("RateLimit-Policy") != `"address";q=2;w=4` {
				t.Errorf("request %d: got %d, %v, want %v", i, res.StatusCode, res.Header, want)
			}
		}
		refused := from(api, "192.0.2.1:2")
		if got := refused.Header.Get("Retry-After"); got != "2" || refused.Header.Get("X-Request-ID") == "" {
			t.Errorf("refused: got %v, want Retry-After 2 and a request ID", refused.Header)
		}
		for _, other := range []string{"192.0.2.2:1", "[2001:db8::1]:1"} {
			if res := from(api, other); res.StatusCode != 200 {
				t.Errorf("%s: got %d, want 200", other, res.StatusCode)
			}
		}
		for range 5 {
			if res := send(api, "GET", "/livez", ""); res.StatusCode != 200 {
				t.Errorf("a probe: got %d", res.StatusCode)
			}
		}
		time.Sleep(2 * time.Second) // of the bubble's clock
		if res := from(api, "192.0.2.1:1"); res.StatusCode != 200 {
			t.Errorf("after the time in Retry-After: got %d, want 200", res.StatusCode)
		}
	})
}

func TestAddressesOfOneIPv6NetworkShareABucket(t *testing.T) {
	t.Parallel()
	api := edgeAPI(httpapi.Edge{AddressRate: 0.001, AddressBurst: 1})
	for _, test := range []struct {
		address string
		status  int
	}{{"[2001:db8::1]:1", 200}, {"[2001:db8::ffff:2]:1", 429}, {"[2001:db8:0:1::1]:1", 200}} {
		if res := from(api, test.address); res.StatusCode != test.status {
			t.Errorf("%s: got %d, want %d", test.address, res.StatusCode, test.status)
		}
	}
}

func TestNoLimitsUnlessTheyAreConfigured(t *testing.T) {
	t.Parallel()
	api := edgeAPI(httpapi.Edge{})
	for range 300 {
		if res := from(api, "192.0.2.1:1"); res.StatusCode != 200 || res.Header.Get("RateLimit") != "" {
			t.Fatalf("got %d, %v", res.StatusCode, res.Header)
		}
	}
}

func TestOnlyTrustedProxiesMayForwardAddresses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trusted []string
		want    int
	}{"trusted": {[]string{"10.0.0.0/8"}, 200}, "not trusted": {nil, 429}} {
		api := edgeAPI(httpapi.Edge{AddressRate: 0.001, AddressBurst: 1, TrustedProxies: test.trusted})
		from(api, "10.0.0.1:1", "X-Forwarded-For", "192.0.2.1")
		if res := from(api, "10.0.0.1:1", "X-Forwarded-For", "192.0.2.2"); res.StatusCode != test.want {
			t.Errorf("%s: got %d, want %d", name, res.StatusCode, test.want)
		}
	}
}

func TestOtherOriginsAreAllowedOnlyWhenConfigured(t *testing.T) {
	t.Parallel()
	const shop = "https://shop.example"
	for name, test := range map[string]struct {
		origins []string
		origin  string
		want    string
	}{
		"not configured": {nil, shop, ""},
		"configured":     {[]string{shop}, shop, shop},
		"another":        {[]string{shop}, "https://evil.example", ""},
	} {
		api := edgeAPI(httpapi.Edge{CORSOrigins: test.origins})
		res := from(api, "192.0.2.1:1", "Origin", test.origin)
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != test.want {
			t.Errorf("%s: got %v, want %q", name, res.Header, test.want)
		}
		if res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are allowed", name)
		}
		preflight := httptest.NewRequest("OPTIONS", "/problems", nil)
		preflight.Header.Set("Origin", test.origin)
		preflight.Header.Set("Access-Control-Request-Method", "GET")
		preflight.Header.Set("Access-Control-Request-Headers", "idempotency-key")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, preflight)
		allowed := w.Header().Get("Access-Control-Allow-Headers") != ""
		if allowed != (test.want != "") || w.Header().Get("X-Request-ID") == "" {
			t.Errorf("%s: preflight got %d %v", name, w.Code, w.Header())
		}
		if test.want != "" && w.Code != 204 {
			t.Errorf("%s: preflight got %d, want 204", name, w.Code)
		}
	}
}

func TestEveryResponseHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	api := edgeAPI(httpapi.Edge{})
	for _, path := range []string{"/nothing", "/problems", "/livez"} {
		res := send(api, "GET", path, "")
		want := map[string]bool{
			"X-Content-Type-Options": true, "X-Frame-Options": true, "Referrer-Policy": true, "Content-Security-Policy": true,
			"X-Request-ID": true, "Strict-Transport-Security": false,
		}
		got := map[string]bool{}
		for name := range want {
			got[name] = res.Header.Get(name) != ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestInvalidEdgeIsNamed(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]httpapi.Edge{
		"TRUSTED_PROXIES":        {TrustedProxies: []string{"proxy"}},
		"CORS_ORIGINS":           {CORSOrigins: []string{"*"}},
		"RATE_LIMIT_PER_ADDRESS": {AddressRate: 1},
	} {
		if err := e.Validate(); err == nil || len(err.Error()) < len(name) || err.Error()[:len(name)] != name {
			t.Errorf("got %v, want an error about %s", err, name)
		}
	}
	valid := httpapi.Edge{
		TrustedProxies: []string{"10.0.0.1", "::1/128"}, CORSOrigins: []string{"https://shop.example"}, AddressRate: 1, AddressBurst: 1,
	}
	if err := valid.Validate(); err != nil {
		t.Error(err)
	}
}

// What a client writes into the header counts for nothing, whatever the proxy adds to it.
func TestClientsCannotChooseTheirAddress(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{
		"before the proxy's entry": {"X-Forwarded-For", "198.51.100.%d, 192.0.2.1"},
		"in another header":        {"X-Real-Ip", "198.51.100.%d"},
		"in the standard header":   {"Forwarded", "for=198.51.100.%d"},
	} {
		api := edgeAPI(httpapi.Edge{AddressRate: 0.001, AddressBurst: 1, TrustedProxies: []string{"10.0.0.1"}})
		for i, want := range []int{200, 429} {
			res := from(api, "10.0.0.1:1", headers[0], strings.Replace(headers[1], "%d", strconv.Itoa(i), 1))
			if res.StatusCode != want {
				t.Errorf("%s, request %d: got %d, want %d", name, i, res.StatusCode, want)
			}
		}
	}
}
