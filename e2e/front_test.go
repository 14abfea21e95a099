package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

// The OpenAPI documents of the two HTTP APIs, with the paths outside of them: the page and the gateway's payment events.
var (
	ordersDescription = httpapitest.MustRead("../api/openapi.yaml",
		"/", "/app.js", "/app.css", "/app.svg", "/catalog/products", "/stripe/webhook")
	catalogDescription = httpapitest.MustRead("../catalog/openapi.yaml")
)

// front is a proxy before a program. It checks every request and every response against the program's OpenAPI document. When the
// program breaks a connection, the caller's connection breaks.
type front struct {
	description *httpapitest.Document
	errorf      func(format string, args ...any)
	wrong       atomic.Int64 // number of coming requests that are wrong on purpose
	proxy       *httputil.ReverseProxy
	server      *httptest.Server
}

// newFront is before target (host:port) until the test ends and all responses are sent.
func newFront(t *testing.T, description *httpapitest.Document, target string, errorf func(string, ...any)) *front {
	t.Helper()
	f := &front{description: description, errorf: errorf}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
		},
		// A new connection for each request: none is lost on a connection that the program has closed.
		Transport:      &http.Transport{DisableKeepAlives: true},
		ModifyResponse: f.read,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.server.Close()
		if n := f.wrong.Load(); n != 0 {
			errorf("%d announced wrong requests did not come", n)
		}
	})
	return f
}

func (f *front) addr() string { return strings.TrimPrefix(f.server.URL, "http://") }

// expectWrong announces a request that breaks the document. Its response must still keep to it.
func (f *front) expectWrong() { f.wrong.Add(1) }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	if err := f.description.CheckRequest(r, body); err != nil && f.wrong.Add(-1) < 0 {
		f.wrong.Add(1)
		f.errorf("the request %s %s %s: %v", r.Method, r.URL, body, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.proxy.ServeHTTP(w, r)
}

// read reads a response as it passes.
func (f *front) read(res *http.Response) error {
	res.Body = &passing{ReadCloser: res.Body, front: f, res: res}
	return nil
}

// passing is the body of a response.
type passing struct {
	io.ReadCloser
	front *front
	res   *http.Response
	body  bytes.Buffer
	whole bool
}

func (a *passing) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.body.Write(p[:n])
	a.whole = a.whole || errors.Is(err, io.EOF)
	return n, err
}

// Close checks the response. When it was cut off, it can be judged only if it is a stream.
func (a *passing) Close() error {
	if a.whole || a.res.Header.Get("Content-Type") == "text/event-stream" {
		a.check()
	}
	return a.ReadCloser.Close()
}

func (a *passing) check() {
	r := a.res.Request
	if err := a.front.description.CheckResponse(r, a.res.StatusCode, a.res.Header, a.body.Bytes()); err != nil {
		a.front.errorf("the response to %s %s: %d %s: %v", r.Method, r.URL, a.res.StatusCode, a.body.String(), err)
	}
}

func TestTheFrontReportsWhatBreaksTheDocument(t *testing.T) {
	t.Parallel()
	const good = `{"orders": []}`
	for name, c := range map[string]struct {
		path, response string
		wrong          bool
		errors         int
	}{
		"as described":              {"/orders?limit=1", good, false, 0},
		"a wrong request":           {"/orders?limit=0", good, false, 1},
		"a wrong request, expected": {"/orders?limit=0", good, true, 0},
		"expected but right":        {"/orders?limit=1", good, true, 1},
		"a wrong response":          {"/orders", `{"orders": [{"id": 7}]}`, false, 1},
		"a wrong response to a wrong request, expected": {"/orders?limit=0", `{}`, true, 1},
		"both wrong": {"/orders?limit=0", `{}`, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, c.response)
			}))
			defer program.Close()
			var found atomic.Int64
			t.Run("request", func(t *testing.T) {
				f := newFront(t, ordersDescription, hostOf(t, program.URL), func(string, ...any) { found.Add(1) })
				if c.wrong {
					f.expectWrong()
				}
				a, err := send(t.Context(), "GET", f.server.URL+c.path, nil)
				if err != nil || a.body != c.response {
					t.Errorf("got %d %s, %v; want the program's response", a.status, a.body, err)
				}
			})
			if int(found.Load()) != c.errors {
				t.Errorf("%d errors, want %d", found.Load(), c.errors)
			}
		})
	}
}
