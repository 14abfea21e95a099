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

// gate stands between the worker and a program that it calls over HTTP, and holds calls back, so that a test can act while
// a step is under way. A call that was let in takes effect even when the caller is gone by then.
type gate struct {
	proxy  *httputil.ReverseProxy
	server *httptest.Server

	mu    sync.Mutex
	holds []*hold
}

// hold keeps calls that it matches until it is released.
type hold struct {
	matches  func(*http.Request) bool
	after    bool          // the call takes effect, its answer is held; otherwise the call itself is
	reached  chan struct{} // closed when the first call is held
	released chan struct{}
	of       string // the call that was held first, by what repeats of it have in common; only they are held
	once     [2]sync.Once
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{proxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})}
	// What the target does to a connection is done to the caller's: there is no answer.
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
		t.Fatalf("waited %s in vain for a call to be held", patience)
	}
}

func (g *gate) releaseAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.holds {
		h.release()
	}
}

// holdOf returns what holds the call, if anything does: the newest, when several would.
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
		panic(http.ErrAbortHandler) // the caller is gone before it has said what it wants
	}
	h := g.holdOf(r)
	if h != nil && !h.after {
		h.wait()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	call := r.Clone(ctx)
	call.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	g.proxy.ServeHTTP(answer, call)
	if h != nil && h.after {
		h.wait()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
