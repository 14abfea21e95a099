package e2e

import (
	"context"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bojanz/currency"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	amount "github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
)

// css is a selector of an element in a page.
type css = chromedp.CSS

// newBrowser starts a headless Chromium with a profile of its own, until the test ends.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("the tests in a browser need the Debian package chromium (`make chromium` installs it): %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// tab is a page in the browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string // URLs that the page requested
	errors   []string // exceptions, and violations of the page's security policy
}

// newTab opens a tab of a width in CSS pixels, with reduced motion.
func newTab(t *testing.T, browser context.Context, width int64) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(width, 800))
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.check)
	return b
}

func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Source == "security" {
			b.errors = append(b.errors, e.Entry.Text)
		}
	}
}

// check checks what holds for every page: it runs without errors, and its requests stay on this machine.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		b.t.Error("the page made no requests")
	}
	for _, r := range b.requests {
		if u, err := url.Parse(r); err != nil || u.Scheme != "data" && u.Scheme != "blob" && u.Hostname() != "127.0.0.1" {
			b.t.Errorf("the page requests %s", r)
		}
	}
	for _, e := range b.errors {
		b.t.Errorf("in the page: %s", e)
	}
}

// do does one step after the other, and waits until each is possible.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second) // in case the tab is gone
		defer cancel()
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.t.Fatalf("in the browser: %v\n%s", err, text)
	}
}

// text evaluates an expression of JavaScript to a string.
func (b *tab) text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// open shows the page with its products.
func (b *tab) open(s *system) {
	b.t.Helper()
	b.do(chromedp.Navigate("http://"+s.api.addr+"/"), chromedp.WaitVisible(css("#q-mug")))
}

// put puts units of a product into the basket, by the keyboard.
func (b *tab) put(product string, units int) {
	b.t.Helper()
	b.do(chromedp.Focus(css("#q-" + product)))
	for range units {
		b.do(chromedp.KeyEvent(kb.ArrowUp))
	}
}

// ended waits until the page shows the order's end and returns the order's ID.
func (b *tab) ended(status string) string {
	b.t.Helper()
	b.do(chromedp.WaitVisible(css(`#saga[data-status="` + status + `"]`)))
	return b.text("location.hash.slice(1)")
}

// paste replaces the content of the token's field.
func (b *tab) paste(token string) {
	b.t.Helper()
	b.do(chromedp.Focus(css("#token")))
	b.text(`document.getElementById("token").select()`)
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: token}); err != nil {
		b.t.Fatal(err)
	}
}

// shows compares the boxes in the saga's picture.
func (b *tab) shows(want string) {
	b.t.Helper()
	got := b.text(`[...document.querySelectorAll(".box[data-step]")].map(e => e.dataset.step + " " + e.dataset.state).join("\n")`)
	if want := strings.ReplaceAll(strings.TrimSpace(want), "\t", ""); got != want {
		b.t.Errorf("the picture is\n%s\nwant\n%s", got, want)
	}
}

// tabTo presses Tab until the element has the focus.
func (b *tab) tabTo(id string) {
	b.t.Helper()
	for range 60 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if b.text("document.activeElement.id || document.activeElement.name") == id {
			return
		}
	}
	b.t.Fatalf("%s cannot be reached by the keyboard", id)
}

func TestInTheBrowser(t *testing.T) {
	s := newSystem(t)
	s.stock("mug", 100)
	browser := newBrowser(t)

	var ids []string
	t.Run("an order is confirmed, and the same request returns it again", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		b.put("mug", 1)
		b.do(chromedp.Click(css("#place")))
		id := b.ended("CONFIRMED")
		ids = append(ids, id)
		b.shows(`
			PriceItems done
			CreateOrder done
			FinishOrder never
			ReserveStock done
			ReleaseStock never
			ChargePayment done
			RefundPayment never
			CommitStock done
			ConfirmOrder done
			CloseOrder never
			PublishEvent sent`)
		facts := b.text(`document.getElementById("details").innerText`)
		if !strings.Contains(facts, "100 → 99") || !strings.Contains(facts, "$12.99 charged") {
			t.Errorf("facts: %s", facts)
		}
		if link := b.text(`document.getElementById("workflow").href`); link != webUI+"/namespaces/default/workflows/order-"+id {
			t.Errorf("link to the saga: %s", link)
		}
		b.do(chromedp.Click(css("#repeat")))
		b.do(chromedp.WaitVisible(css(`#saga[data-replayed="true"][data-status="CONFIRMED"]`)))
		if again := b.text("location.hash.slice(1)"); again != id {
			t.Errorf("the repeated request returned order %s, want %s", again, id)
		}
	})

	t.Run("a card is declined, and everything is undone", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		b.put("mug", 1)
		b.do(chromedp.Click(css(`input[value="`+declined+`"]`)), chromedp.Click(css("#place")))
		ids = append(ids, b.ended("FAILED"))
		b.shows(`
			PriceItems done
			CreateOrder done
			FinishOrder undone
			ReserveStock done
			ReleaseStock undone
			ChargePayment refused
			RefundPayment undone
			CommitStock never
			ConfirmOrder never
			CloseOrder undone
			PublishEvent sent`)
		facts := b.text(`document.getElementById("details").innerText`)
		if !strings.Contains(facts, "99 before and after") || !strings.Contains(facts, "nothing kept") {
			t.Errorf("facts: %s", facts)
		}
		if news := b.text(`document.getElementById("news").textContent`); !strings.Contains(news, "declined") {
			t.Errorf("the live region says %q", news)
		}
	})

	t.Run("the keyboard is enough", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		b.tabTo("q-mug")
		b.do(chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.ArrowUp))
		b.tabTo("method")
		b.do(chromedp.KeyEvent(kb.ArrowDown)) // from visa to declined
		b.tabTo("place")
		b.do(chromedp.KeyEvent(kb.Enter))
		id := b.ended("FAILED")
		ids = append(ids, id)
		if o := s.order(id); o.Reason != "PAYMENT_DECLINED" || o.Items[0].Quantity != 2 {
			t.Errorf("placed %+v, want two mugs and a declined card", o)
		}
		if focus := b.text("document.activeElement.id"); focus != "saga" {
			t.Errorf("the focus is on %q, want it on the saga", focus)
		}
	})

	t.Run("the page fits on a phone", func(t *testing.T) {
		b := newTab(t, browser, 360)
		b.open(s)
		b.put("mug", 1)
		b.do(chromedp.Click(css("#place")))
		ids = append(ids, b.ended("CONFIRMED"))
		b.do(chromedp.Click(css("#raw summary")))
		if width := b.text("document.documentElement.scrollWidth"); width != "360" {
			t.Errorf("the page is %s pixels wide", width)
		}
	})

	t.Run("an order is cancelled while it is being paid", func(t *testing.T) {
		s.faults(paidButUnknown...)
		defer s.faults()
		b := newTab(t, browser, 1280)
		b.open(s)
		b.put("mug", 1)
		b.do(chromedp.Click(css("#place")), chromedp.WaitVisible(css(`#saga[data-status="PENDING"]`)))
		id := b.text("location.hash.slice(1)")
		eventually(t, "the money is taken", func(context.Context) bool { return s.money(id).Captured > 0 })
		b.do(chromedp.Click(css("#cancel")))
		eventually(t, "it is being undone", func(context.Context) bool { return s.order(id).Reason == "CANCELLED_BY_USER" })
		s.faults()
		ids = append(ids, b.ended("CANCELLED"))
	})

	t.Run("the page shows a mistake and its place", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		s.toAPI.expectWrong()
		b.do(chromedp.SetValue(css("#q-mug"), "10001"), chromedp.Click(css("#place")), chromedp.WaitVisible(css("#problem ul")))
		if problem := b.text(`document.getElementById("problem").innerText`); !strings.Contains(problem, "#/items/0/quantity") {
			t.Errorf("the page says: %s", problem)
		}
	})

	t.Run("what will be bought is in sight, whatever is searched", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		if basket := b.text(`document.getElementById("basket").innerText`); basket != "" {
			t.Errorf("before anything is chosen, the basket has %q", basket)
		}
		b.put("mug", 2)
		b.do(chromedp.Focus(css("#filter")))
		if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: "nothing like it"}); err != nil {
			t.Fatal(err)
		}
		shown := b.text(`[...document.querySelectorAll("#products .product")].filter(e => !e.hidden).map(e => e.dataset.product).join()`)
		if basket := b.text(`document.getElementById("basket").innerText`); shown != "mug" || !strings.HasPrefix(basket, "2 × ") {
			t.Errorf("the list shows %q, the basket %q; want the mugs in both", shown, basket)
		}
	})

	t.Run("every currency has the decimals that it is charged and mailed with", func(t *testing.T) {
		b := newTab(t, browser, 1280)
		b.open(s)
		digits := regexp.MustCompile(`[0-9][0-9.,]*`)
		for _, code := range currency.GetCurrencyCodes() {
			mailed, err := moneytext.Price(amount.Money{Amount: 123456789, Currency: code})
			if err != nil {
				t.Fatal(err)
			}
			shown := b.text(`money({amount: 123456789, currency: "` + code + `"})`)
			if digits.FindString(shown) != digits.FindString(mailed) {
				t.Errorf("%s: the page shows %s, the mail says %s", code, shown, mailed)
			}
		}
	})

	for name, place := range map[string]struct{ url, shows string }{
		"the orders' documentation":  {"http://" + s.api.addr + "/docs", ".opblock"},
		"the catalog's":              {"http://" + s.catalog.addr + "/docs", ".opblock"},
		"every problem of orders":    {"http://" + s.api.addr + "/problems", "#out-of-stock"},
		"every problem of a catalog": {"http://" + s.catalog.addr + "/problems", "dt"},
	} {
		t.Run(name+" needs no internet", func(t *testing.T) {
			b := newTab(t, browser, 1280)
			b.do(chromedp.Navigate(place.url), chromedp.WaitVisible(css(place.shows)))
		})
	}
	s.keepsPromises(ids...)
}
