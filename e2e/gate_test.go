package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// gate is a proxy between the worker and a program that it calls over HTTP. It can hold calls, so that a test can act while a
// step is under way. A released call takes effect even when its caller is gone.
type gate struct {
	proxy  *httputil.ReverseProxy
	server *httptest.Server

	mu    sync.Mutex
	holds []*hold
}

// hold holds the calls that match until it is released.
type hold struct {
	matches  func(*http.Request) bool
	after    bool          // the call takes effect and its response is held; otherwise the call itself is held
	reached  chan struct{} // closed when the first call is held
	released chan struct{}
	of       string // path and key of the first held call; only its repeats are held, too
	once     [2]sync.Once
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{proxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})}
	// When the target breaks a connection, the caller's connection breaks: there is no response.
	g.proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	g.server = httptest.NewServer(g)
	t.Cleanup(func() { g.releaseAll(); g.server.Close() })
	return g
}

func (g *gate) url() string { return g.server.URL }

// hold begins to hold calls.
func (g *gate) hold(after bool, matches func(*http.Request) bool) *hold {
	h := &hold{matches: matches, after: after, reached: make(chan struct{}), released: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = append(g.holds, h)
	return h
}

func (h *hold) release() { h.once[1].Do(func() { close(h.released) }) }

func (h *hold) wait() {
	h.once[0].Do(func() { close(h.reached) })
	<-h.released
}

// await waits until a call is held.
func (h *hold) await(t *testing.T) {
	t.Helper()
	select {
	case <-h.reached:
	case <-time.After(patience):
		t.Fatalf("no call was held within %s", patience)
	}
}

func (g *gate) releaseAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.holds {
		h.release()
	}
}

// holdOf returns the newest hold that matches the call, or nil.
func (g *gate) holdOf(r *http.Request) *hold {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := r.URL.Path + " " + r.Header.Get("Idempotency-Key")
	for _, h := range slices.Backward(g.holds) {
		if !closed(h.released) && (h.of == "" || h.of == key) && h.matches(r) {
			h.of = key
			return h
		}
	}
	return nil
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	h := g.holdOf(r)
	if h != nil && !h.after {
		h.wait()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	call := r.Clone(ctx)
	call.Body = io.NopCloser(bytes.NewReader(body))
	response := httptest.NewRecorder()
	g.proxy.ServeHTTP(response, call)
	if h != nil && h.after {
		h.wait()
	}
	for name, values := range response.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Code)
	_, _ = w.Write(response.Body.Bytes())
}
