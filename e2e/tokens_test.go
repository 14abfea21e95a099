package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.temporal.io/sdk/client"

	"github.com/ordersaga/ordersaga/internal/auth/authtest"
)

// newGuardedSystem starts a system whose api and catalog want tokens. The worker has none until a test writes it to the file.
// The tests act as an operator and manager of the catalog.
func newGuardedSystem(t *testing.T) (s *system, workersToken string) {
	t.Helper()
	t.Parallel()
	s = buildSystem(t, client.DefaultNamespace)
	workersToken = filepath.Join(t.TempDir(), "token")
	s.api.env = append(s.api.env, authtest.Environment...)
	s.catalog.env = append(s.catalog.env, authtest.Environment...)
	s.worker.env = append(s.worker.env, "CATALOG_TOKEN_FILE="+workersToken)
	s.tokens = map[string]string{
		s.api.addr:     token(t, "orders", "alice", "orders:operator"),
		s.catalog.addr: token(t, "catalog", "alice", "catalog:manager catalog:reservations"),
	}
	s.start()
	return s, workersToken
}

func token(t *testing.T, audience, subject, scope string) string {
	t.Helper()
	return authtest.Token(t, map[string]any{"aud": audience, "sub": subject, "scope": scope})
}

// as is the header of a request with another token than the operator's.
func as(token string) string { return "Authorization: Bearer " + token }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTokensDecideWhoMayDoWhat(t *testing.T) {
	s, workersToken := newGuardedSystem(t)
	orders, products := "http://"+s.api.addr+"/orders", "http://"+s.catalog.addr+"/products"
	customer, stranger := token(t, "orders", "42", "orders"), token(t, "orders", "43", "orders")
	var ids []string
	if !secrets.MatchString(as(customer)) {
		t.Fatal("tokens in logs and histories would not be found")
	}

	t.Run("an order waits for the worker's token, says so at once, and is confirmed once the worker has it", func(t *testing.T) {
		a := s.do("POST", orders, newOrder(visa, lamp, 1), "Prefer: wait=1", as(customer))
		if a.status != 202 {
			t.Fatalf("without the worker's token: %d %s", a.status, a.body)
		}
		id := a.orderID()
		ids = append(ids, id)
		s.needsAttention(id, "PriceItems")
		s.sagaStatus(id, "NEEDS_ATTENTION")
		// With a token without the right scope it waits elsewhere, and its details name the scope.
		write(t, workersToken, token(t, "catalog", "worker", "catalog:manager"))
		s.signalSaga(id, "retry", command(""))
		s.needsAttention(id, "ReserveStock")
		s.details(id, "403 /problems/forbidden: the token lacks the scope catalog:reservations")
		write(t, workersToken, token(t, "catalog", "worker", "catalog:reservations"))
		s.signalSaga(id, "retry", command(""))
		wantEnd(t, s.finished(id), "CONFIRMED", "")
		if strings.Contains(s.worker.logs.String(), "circuit breaker") {
			t.Error("a rejected token opened the breaker")
		}
	})

	t.Run("a customer sees only their own orders", func(t *testing.T) {
		a := s.do("POST", orders, newOrder(visa, lamp, 1), "Prefer: wait=30", as(customer))
		if a.status != 201 {
			t.Fatalf("place an order: %d %s", a.status, a.body)
		}
		id := a.orderID()
		ids = append(ids, id)
		for _, test := range []struct {
			method, path, token string
			body                any
			status              int
			problem             string
		}{
			{"GET", "/" + id, customer, nil, 200, ""},
			{"GET", "/" + id, stranger, nil, 404, "order-not-found"},
			{"GET", "/" + id + "/events", stranger, nil, 404, "order-not-found"},
			{"POST", "/" + id + "/cancel", stranger, nil, 404, "order-not-found"},
			{"POST", "", stranger, newOrder(visa, lamp, 1), 403, "forbidden"}, // for user 42
			{"GET", "/" + id, "x.y.z", nil, 401, "unauthenticated"},
			{"GET", "/" + id, token(t, "catalog", "42", "orders"), nil, 401, "unauthenticated"},
		} {
			got := s.do(test.method, orders+test.path, test.body, as(test.token))
			if got.status != test.status || got.problem() != test.problem {
				t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path, got.status, got.body, test.status, test.problem)
			}
		}
	})

	t.Run("anyone may see a product, and only a manager may change it", func(t *testing.T) {
		cheap := map[string]any{"price": map[string]any{"amount": 1, "currency": "USD"}}
		reservations := token(t, "catalog", "worker", "catalog:reservations")
		for name, test := range map[string]struct {
			method string
			body   any
			token  string
			status int
		}{
			"seen without a token":    {"GET", nil, "", 200},
			"changed without a token": {"PATCH", cheap, "", 401},
			"a customer changes it":   {"PATCH", cheap, customer, 401}, // the token is for the orders
			"an operator changes it":  {"PATCH", cheap, s.tokens[s.api.addr], 401},
			"a customer's scope":      {"PATCH", cheap, token(t, "catalog", "42", "orders"), 403},
			"the worker changes it":   {"PATCH", cheap, reservations, 403},
			"the worker deletes it":   {"DELETE", nil, reservations, 403},
		} {
			if got := s.do(test.method, products+"/"+lamp, test.body, as(test.token)); got.status != test.status {
				t.Errorf("%s: %d %s, want %d", name, got.status, got.body, test.status)
			}
		}
		if got := s.do("PATCH", products+"/"+lamp, map[string]any{"description": "It shines."}, "If-Match: *"); got.status != 200 {
			t.Errorf("its manager changes it: %d %s", got.status, got.body)
		}
	})

	s.stock("mug", 100)
	browser := newBrowser(t)
	t.Run("the page asks for a token, says what is wrong with it, and takes the user from it", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		says := func(words string) {
			t.Helper()
			b.do(chromedp.WaitVisible(css("#token[aria-invalid=true]")))
			if problem := b.text(`document.getElementById("problem").innerText`); !strings.Contains(problem, words) {
				t.Errorf("the page says %q, want %q", problem, words)
			}
			if focus := b.text("document.activeElement.id"); focus != "token" {
				t.Errorf("the focus is on %q, want it on the token", focus)
			}
		}
		b.put("mug", 1)
		b.do(chromedp.Click(css("#place")))
		says("a bearer token is required")

		expired := map[string]any{"aud": "orders", "sub": "42", "scope": "orders", "exp": time.Now().Add(-time.Hour).Unix()}
		b.paste(authtest.Token(t, expired))
		if who := b.text(`document.getElementById("who").value`); !strings.Contains(who, "42, scope orders, expired") {
			t.Errorf("the page says about the token: %q", who)
		}
		b.do(chromedp.Click(css("#place")))
		says("the token is invalid or has expired")

		b.paste(token(t, "orders", "43", "profile"))
		b.do(chromedp.Click(css("#place")))
		says("the token lacks the scope orders")

		b.paste("Bearer " + stranger)
		if user := b.text(`document.getElementById("user").value`); user != "43" {
			t.Errorf("the page orders for user %s, want that of the token", user)
		}
		b.do(chromedp.Click(css("#place")))
		id := b.ended("CONFIRMED")
		ids = append(ids, id)
		if problem := b.text(`document.getElementById("problem").innerText`); problem != "" {
			t.Errorf("the page still says %q", problem)
		}

		b.do(chromedp.Reload(), chromedp.WaitVisible(css(`#saga[data-status="CONFIRMED"]`)))
		if kept := b.text(`localStorage.length + document.cookie`); kept != "0" {
			t.Errorf("the token outlives the tab: %q", kept)
		}
	})

	t.Run("another tab has no token, and shows the order with the right one", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.do(chromedp.Navigate("http://"+s.api.addr+"/#"+ids[len(ids)-1]), chromedp.WaitVisible(css("#q-mug")))
		if status := b.text(`document.getElementById("saga").dataset.status`); status != "" {
			t.Errorf("without a token the saga is shown as %s", status)
		}
		b.paste(customer)
		b.do(chromedp.WaitVisible(css("#problem b")))
		if problem := b.text(`document.getElementById("problem").innerText`); !strings.Contains(problem, "Order not found") {
			t.Errorf("about the order of another customer the page says %q", problem)
		}
		b.paste(stranger)
		b.ended("CONFIRMED")
	})

	t.Run("the documentation has a field for a token, and names the scopes", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.do(chromedp.Navigate("http://"+s.catalog.addr+"/docs"),
			chromedp.Click(css(".btn.authorize")), chromedp.WaitVisible(css(".auth-container input")))
		if asks := b.text(`document.querySelector(".auth-container").innerText`); !strings.Contains(asks, "catalog:manager") {
			t.Errorf("it asks: %s", asks)
		}
	})
	s.keepsPromises(ids...)
}
