package httpserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/porttest"
)

var discard = slog.New(slog.DiscardHandler)

func TestRunningRequestCompletesAfterTheServerIsToldToStop(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	ctx, stop := context.WithCancel(t.Context())
	addr := porttest.FreeAddress(t)
	served := make(chan error, 1)
	go func() { served <- httpserver.Serve(ctx, addr, httpserver.TLS{}, handler, discard) }()
	got := make(chan string, 1)
	go func() { got <- get(addr) }()
	<-arrived
	stop()
	close(release)
	if body := <-got; body != "done" {
		t.Errorf("the response is %q", body)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

// get repeats a request until the server listens.
func get(addr string) string {
	for {
		res, err := http.Get("http://" + addr)
		if err != nil {
			var refused *net.OpError
			if errors.As(err, &refused) && refused.Op == "dial" {
				continue
			}
			return err.Error()
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
}

// net/http rejects these before any handler runs, in its own words. The page /problems says so.
func TestTooLargeHeadersAreRejected(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	addr := porttest.FreeAddress(t)
	served := make(chan error, 1)
	go func() { served <- httpserver.Serve(ctx, addr, httpserver.TLS{}, http.NotFoundHandler(), discard) }()
	get(addr) // returns once the server listens
	for size, want := range map[int]string{
		httpserver.MaxHeaderBytes / 2: "404 text/plain; charset=utf-8",
		httpserver.MaxHeaderBytes * 2: "431 text/plain; charset=utf-8",
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", size))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := fmt.Sprint(res.StatusCode, " ", res.Header.Get("Content-Type")); got != want {
			t.Errorf("a header of %d bytes: got %s, want %s", size, got, want)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = httpserver.Serve(t.Context(), l.Addr().String(), httpserver.TLS{}, http.NotFoundHandler(), discard)
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v", err)
	}
}

func TestReadyOnlyWhenEveryCheckPasses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, readyOnlyWhenEveryCheckPasses)
}

func readyOnlyWhenEveryCheckPasses(t *testing.T) {
	var fails atomic.Bool
	probes := httpserver.Probes(map[string]httpserver.Check{
		"postgres": func(context.Context) error { return nil },
		"temporal": func(context.Context) error {
			if fails.Load() {
				return errors.New("password=hunter2 refused")
			}
			return nil
		},
	}, discard)
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		probes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return w
	}
	if w := ask("/readyz"); w.Code != 200 {
		t.Errorf("ready: %d %s", w.Code, w.Body)
	}
	fails.Store(true)
	time.Sleep(time.Second)
	if w := ask("/readyz"); w.Code != 503 || w.Body.String() != `{"postgres":"ok","temporal":"unavailable"}`+"\n" {
		t.Errorf("not ready: %d %s", w.Code, w.Body)
	}
	if w := ask("/livez"); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
}

func TestProbesHoweverManyRunTheChecksOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		probes := httpserver.Probes(map[string]httpserver.Check{"slow": func(ctx context.Context) error {
			ran.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			return ctx.Err()
		}}, discard)
		for second := range int32(3) {
			var asking sync.WaitGroup
			for range 50 {
				asking.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond) // this prober does not wait long
					defer cancel()
					w := httptest.NewRecorder()
					probes.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
					if w.Code != 200 {
						t.Errorf("got %d %s", w.Code, w.Body)
					}
				})
			}
			asking.Wait()
			if n := ran.Load(); n != second+1 {
				t.Errorf("after %d s the check ran %d times", second, n)
			}
			time.Sleep(time.Second)
		}
	})
}

// A proxy and this server could disagree on where such a request ends. What follows it on the connection is not served.
func TestAConnectionEndsAfterARequestWithAnAmbiguousEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	addr := porttest.FreeAddress(t)
	served := make(chan error, 1)
	go func() { served <- httpserver.Serve(ctx, addr, httpserver.TLS{}, http.NotFoundHandler(), discard) }()
	get(addr) // returns once the server listens
	const next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for request, responses := range map[string]int{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}":                                      2,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                      1,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 1,
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}":                       1,
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n":                1,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}":                 1,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n":             1,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\n{}":       1,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}":       1,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}":                                     1,
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request+next); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // until the server closes the connection
		if err != nil {
			t.Error(err)
		}
		conn.Close()
		if n := strings.Count(string(answer), "HTTP/1."); n != responses {
			t.Errorf("%q: %d responses on the connection, want %d:\n%s", request, n, responses, answer)
		}
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
