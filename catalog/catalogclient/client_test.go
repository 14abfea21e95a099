package catalogclient_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
)

// catalog is a fake whose responses the test chooses. It needs no network, so the clock can be faked as well.
type catalog struct {
	handler atomic.Value // handler
	calls   atomic.Int32
}

type handler func(*http.Request) (*http.Response, error)

func (c *catalog) RoundTrip(r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.handler.Load().(handler)(r)
}

func (c *catalog) does(h handler) { c.handler.Store(h) }

// says responds with a body, as a problem if it looks like one.
func says(status int, body string, headers ...string) handler {
	return func(r *http.Request) (*http.Response, error) {
		res := &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
			Request: r, ProtoMajor: 1, ProtoMinor: 1,
		}
		res.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(body, `{"type"`) {
			res.Header.Set("Content-Type", "application/problem+json")
		}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			res.Header.Set(name, value)
		}
		return res, nil
	}
}

// hangs never responds.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// refuses fails as if nothing listened.
func refuses(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

var lampPrice = says(200, `{"prices": [{"productId": "lamp", "name": "Lamp", "price": {"amount": 500, "currency": "EUR"}}]}`)

const id = "00000000-0000-4000-8000-000000000001"

var (
	lamp   = []string{"lamp"}
	quoted = []catalogclient.Quote{{ProductPrice: catalogclient.ProductPrice{
		ProductID: "lamp", Name: "Lamp", Price: catalogclient.Price{Amount: 500, Currency: "EUR"},
	}}}
)

// open returns a client of a fake catalog and the breaker's states so far.
func open(t *testing.T, first handler) (*catalogclient.Client, *catalog, func() []string) {
	t.Helper()
	fake := &catalog{}
	fake.does(first)
	var mu sync.Mutex
	var states []string
	c, err := catalogclient.New(catalogclient.Options{
		BaseURL: "http://catalog.test", Transport: fake, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnStateChange: func(_, to string) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, to)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, fake, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return states
	}
}

func release(t *testing.T, c *catalogclient.Client, times int) (last error) {
	t.Helper()
	for range times {
		_, last = c.Release(t.Context(), id)
	}
	return last
}

func TestBreakerOpensWhenHalfOfTenCallsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, fake, states := open(t, says(200, "{}"))
		release(t, c, 5)
		fake.does(refuses)
		release(t, c, 4) // 4 of 9
		if got := states(); got != nil {
			t.Fatalf("states %v after nine calls, want none", got)
		}
		release(t, c, 1) // 5 of 10
		if diff := cmp.Diff([]string{"open"}, states()); diff != "" {
			t.Fatalf("states (-want +got):\n%s", diff)
		}
		before := fake.calls.Load()
		err := release(t, c, 20)
		if n := fake.calls.Load() - before; n != 0 {
			t.Errorf("%d requests left while it was open", n)
		}
		var unavailable *catalogclient.Unavailable
		if !errors.As(err, &unavailable) || unavailable.RetryDelay() < 30*time.Second || unavailable.RetryDelay() > 32*time.Second {
			t.Errorf("error %v, want one that says to try again in 30 to 32 s", err)
		}
	})
}

func TestBreakerForgetsOldFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _, states := open(t, refuses)
		release(t, c, 9)
		time.Sleep(12 * time.Second)
		release(t, c, 9)
		if got := states(); got != nil {
			t.Errorf("states %v, want none: there were never ten calls in ten seconds", got)
		}
	})
}

func TestResponsesOfAWorkingCatalogKeepTheBreakerClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{400, 404, 409, 410, 422, 429} {
			c, fake, states := open(t, says(status, ""))
			if err := release(t, c, 50); err == nil {
				t.Errorf("%d: no error", status)
			}
			if fake.calls.Load() != 50 || states() != nil {
				t.Errorf("%d: %d calls, states %v", status, fake.calls.Load(), states())
			}
		}
	})
}

func TestCancelledCallsAreNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _, states := open(t, hangs)
		for range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := c.Release(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v", err)
			}
			cancel()
		}
		if got := states(); got != nil {
			t.Errorf("states %v, want none", got)
		}
	})
}

func TestACallThatHangsTimesOutAfterThreeSecondsAndCounts(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]handler{
		"before the response": hangs,
		"within the body": func(r *http.Request) (*http.Response, error) {
			res, err := says(200, "")(r)
			body, _ := io.Pipe() // never written to
			go func() {
				<-r.Context().Done()
				_ = body.CloseWithError(r.Context().Err())
			}()
			res.Body = body
			return res, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _, states := open(t, h)
				began := time.Now()
				for range 10 {
					go func() { _, _ = c.Release(t.Context(), id) }()
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("took %s", took)
				}
				if diff := cmp.Diff([]string{"open"}, states()); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestOneProbeDecidesWhetherTheBreakerCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, fake, states := open(t, refuses)
		release(t, c, 10)
		time.Sleep(31 * time.Second)

		// The probe hangs while a hundred others call.
		fake.calls.Store(0)
		fake.does(hangs)
		go func() { _, _ = c.Release(t.Context(), id) }()
		synctest.Wait()
		err := release(t, c, 100)
		var unavailable *catalogclient.Unavailable
		if !errors.As(err, &unavailable) || unavailable.RetryDelay() < time.Second {
			t.Errorf("error %v, want one that says when to try again", err)
		}
		if n := fake.calls.Load(); n != 1 {
			t.Errorf("%d requests while half-open, want 1", n)
		}
		time.Sleep(4 * time.Second) // the probe times out
		synctest.Wait()

		time.Sleep(31 * time.Second)
		fake.does(says(200, "{}"))
		if err := release(t, c, 3); err != nil {
			t.Errorf("after it closed: %v", err)
		}
		if diff := cmp.Diff([]string{"open", "half-open", "open", "half-open", "closed"}, states()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"7":       7 * time.Second,
			"0":       0,
			"9999999": 5 * time.Minute, // the most that it can ask for
			time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat): 9 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):      0,
		} {
			for _, status := range []int{429, 503} {
				c, _, _ := open(t, says(status, `{"type": "/problems/unavailable"}`, "Retry-After: "+header))
				var unavailable *catalogclient.Unavailable
				if err := release(t, c, 1); !errors.As(err, &unavailable) || unavailable.RetryDelay() != want {
					t.Errorf("%d, %s: %v, want to try again in %s", status, header, err, want)
				}
			}
		}
		for _, header := range []string{"-1", "soon"} {
			c, _, _ := open(t, says(429, `{"type": "/problems/unavailable"}`, "Retry-After: "+header))
			if err := release(t, c, 1); err == nil || errors.As(err, new(*catalogclient.Unavailable)) {
				t.Errorf("%s: %v", header, err)
			}
		}
	})
}

func TestLastKnownPricesAreUsedWhileTheyAreFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, fake, _ := open(t, lampPrice)
		check := func(what string, want []catalogclient.Quote) {
			t.Helper()
			got, err := c.PriceProducts(t.Context(), lamp)
			if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
		check("from the catalog", quoted)
		old := slices.Clone(quoted)
		old[0].SeenAt = time.Now().UTC()
		fake.does(refuses)
		time.Sleep(5 * time.Minute)
		check("still fresh", old)
		release(t, c, 20)
		check("while the breaker is open", old)
		if quotes, err := c.PriceProducts(t.Context(), []string{"lamp", "ghost"}); err == nil {
			t.Errorf("a product that was never seen has a price: %v", quotes)
		}
		time.Sleep(time.Second)
		check("too old", nil)
	})
}

func TestPricesThatCannotBeChargedAreNeitherUsedNorRemembered(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"missing":     `{"prices": []}`,
		"no currency": `{"prices": [{"productId": "lamp", "name": "Lamp", "price": {"amount": 0}}]}`,
		"negative":    `{"prices": [{"productId": "lamp", "name": "Lamp", "price": {"amount": -1, "currency": "EUR"}}]}`,
		"not JSON":    `<html>`,
	} {
		c, fake, _ := open(t, says(200, body))
		for range 2 {
			if quotes, err := c.PriceProducts(t.Context(), lamp); err == nil {
				t.Errorf("%s: got %v", name, quotes)
			}
			fake.does(refuses)
		}
	}
}

func TestARefusedReturnSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	const back = "00000000-0000-4000-8000-00000000000a"
	c, _, _ := open(t, func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		const want = `{"lines":[{"productId":"lamp","quantity":2,"writeOff":1}]}`
		if r.Method != "PUT" || r.URL.Path != "/reservations/"+id+"/returns/"+back || string(body) != want {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
		return says(409, `{"type": "/problems/return-too-large", "excesses": [{"productId": "lamp", "requested": 2, "left": 1}]}`)(r)
	})
	_, err := c.Return(t.Context(), id, back, []catalogclient.ReturnLine{{ProductID: "lamp", Quantity: 2, WriteOff: 1}})
	want := &catalogclient.Problem{
		Type: catalogclient.ReturnTooLarge, Status: 409,
		Excesses: []catalogclient.Excess{{ProductID: "lamp", Requested: 2, Left: 1}},
	}
	var p *catalogclient.Problem
	if !errors.As(err, &p) || !cmp.Equal(want, p) {
		t.Errorf("error %v, want %v (-want +got):\n%s", err, want, cmp.Diff(want, p))
	}
}

func TestAnUnknownProductLosesItsLastPrice(t *testing.T) {
	t.Parallel()
	for name, learns := range map[string]func(*catalogclient.Client) error{
		"by pricing": func(c *catalogclient.Client) error {
			_, err := c.PriceProducts(t.Context(), lamp)
			return err
		},
		"by reserving": func(c *catalogclient.Client) error {
			_, err := c.Reserve(t.Context(), id, []catalogclient.Line{{ProductID: "lamp", Quantity: 1}}, time.Now())
			return err
		},
	} {
		c, fake, _ := open(t, lampPrice)
		if _, err := c.PriceProducts(t.Context(), lamp); err != nil {
			t.Fatal(err)
		}
		fake.does(says(404, `{"type": "/problems/product-not-found", "productIds": ["lamp"]}`))
		var p *catalogclient.Problem
		if err := learns(c); !errors.As(err, &p) || p.Type != catalogclient.ProductNotFound || !slices.Equal(p.ProductIDs, lamp) {
			t.Fatalf("%s: error %v, want a problem that names the product", name, err)
		}
		fake.does(refuses)
		if quotes, err := c.PriceProducts(t.Context(), lamp); err == nil {
			t.Errorf("%s: got %v", name, quotes)
		}
	}
}

func TestARepeatedProductIsAskedForOnceAndQuotedTwice(t *testing.T) {
	t.Parallel()
	c, _, _ := open(t, func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(body), "lamp") != 1 {
			t.Errorf("the request is %s, %v", body, err)
		}
		return lampPrice(r)
	})
	got, err := c.PriceProducts(t.Context(), []string{"lamp", "lamp"})
	if diff := cmp.Diff([]catalogclient.Quote{quoted[0], quoted[0]}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	c, err := catalogclient.New(catalogclient.Options{BaseURL: "http://user:sesame@127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Release(t.Context(), id); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("release: %v", err)
	}
	for _, wrong := range []string{"", "127.0.0.1:4002", "ftp://user:sesame@host", "http://user:sesame@:::"} {
		if _, err := catalogclient.New(catalogclient.Options{BaseURL: wrong}); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("New(%q): %v", wrong, err)
		}
	}
}
