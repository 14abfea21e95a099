package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// servePage serves the API with the page. The catalog is at catalogURL.
func servePage(t *testing.T, catalogURL string, needsToken bool) string {
	t.Helper()
	api := newTestAPI(t, confirms)
	p, err := newPage(catalogURL, needsToken)
	if err != nil {
		t.Fatal(err)
	}
	p.register(api.API)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return server.URL
}

// fetch returns the response to a GET and its body.
func fetch(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestPageRunsOnlyItsOwnFiles(t *testing.T) {
	t.Parallel()
	base := servePage(t, "http://127.0.0.1:1", false)
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8",
		"/app.css": "text/css; charset=utf-8", "/app.svg": "image/svg+xml",
	} {
		res, body := fetch(t, base+path)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != contentType || body == "" {
			t.Errorf("%s: got %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
		}
		if policy := res.Header.Get("Content-Security-Policy"); policy != pagePolicy || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		again, body := fetch(t, base+path, "If-None-Match: "+res.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: got %d, want 304 for the file in the browser's cache", path, again.StatusCode)
		}
	}
}

func TestPageIsOffUnlessConfigured(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	for _, path := range []string{"/", "/app.js", "/catalog/products"} {
		if got := api.send(t, "GET", path, ""); got.status != 404 {
			t.Errorf("%s: got %d, want 404", path, got.status)
		}
	}
}

func TestPageAsksForATokenOnlyWhereOneIsNeeded(t *testing.T) {
	t.Parallel()
	for _, needed := range []bool{true, false} {
		_, body := fetch(t, servePage(t, "http://127.0.0.1:1", needed))
		if strings.Contains(body, `id="token"`) != needed {
			t.Errorf("needed: %t, but the page says otherwise", needed)
		}
	}
}

// The page exposes nothing else of the catalog, and sends no tokens to it.
func TestCatalogIsReachableOnlyThroughTwoReadOnlyPaths(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 10)
	catalog := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Internal", "secret")
		_, _ = io.WriteString(w, `{"products":[]}`)
	}))
	t.Cleanup(catalog.Close)
	base := servePage(t, catalog.URL, false)
	for path, want := range map[string]string{
		"/catalog/products?limit=100&q=mug": "/products?limit=100&q=mug", "/catalog/products/mug-blue": "/products/mug-blue",
	} {
		res, body := fetch(t, base+path, "Authorization: Bearer secret", "Cookie: session=secret")
		if res.StatusCode != 200 || body != `{"products":[]}` || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s", path, res.StatusCode, body)
		}
		if res.Header.Get("X-Internal") != "" || len(res.Header.Values("X-Request-ID")) != 1 {
			t.Errorf("%s: headers of the catalog come through: %v", path, res.Header)
		}
		asked := <-seen
		if asked.Method != "GET" || asked.RequestURI != want {
			t.Errorf("%s: the request to the catalog is %s %s, want GET %s", path, asked.Method, asked.RequestURI, want)
		}
		asked.Header.Del("Accept-Encoding") // the transport's own
		asked.Header.Del("User-Agent")
		if diff := cmp.Diff(http.Header{"Accept": {"application/json"}}, asked.Header); diff != "" {
			t.Errorf("%s: headers to the catalog (-want +got):\n%s", path, diff)
		}
	}
	for _, path := range []string{
		"/catalog/reservations/x", "/catalog/products/mug/stock", "/catalog/products/..%2Freservations%2Fx", "/catalog",
	} {
		if res, body := fetch(t, base+path); res.StatusCode != 404 {
			t.Errorf("%s: got %d %s, want 404", path, res.StatusCode, body)
		}
	}
	res, err := http.Post(base+"/catalog/products", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d, want 405", res.StatusCode)
	}
	if len(seen) > 0 {
		t.Errorf("the catalog got a request for %s", (<-seen).RequestURI)
	}
}

// A body would be read and passed on until it has come or the server's time is up.
func TestBodiesAreNeitherPassedToTheCatalogNorWaitedFor(t *testing.T) {
	t.Parallel()
	catalog := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); len(body) > 0 || err != nil {
			t.Errorf("the catalog got the body %q, %v", body, err)
		}
		_, _ = io.WriteString(w, `{"products":[]}`)
	}))
	t.Cleanup(catalog.Close)
	base := servePage(t, catalog.URL, false)
	for _, path := range []string{"/catalog/products", "/", "/orders/" + string(keyed)} {
		for _, framing := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n", path, framing)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || !res.Close {
				t.Errorf("%s, %s: got %v, %v, want a response and the end of the connection", path, framing, res, err)
			}
			conn.Close()
		}
	}
}

func TestCatalogThatIsDownIsAProblem(t *testing.T) {
	t.Parallel()
	res, body := fetch(t, servePage(t, "http://127.0.0.1:1", false)+"/catalog/products")
	if res.StatusCode != 503 || !strings.Contains(body, "/problems/unavailable") || strings.Contains(body, "127.0.0.1") {
		t.Errorf("got %d %s, want a problem without our addresses", res.StatusCode, body)
	}
	if res.Header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
}
