package notifier

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

var update = flag.Bool("update", false, "write the golden files again")

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func attention() order.Alert {
	return order.NewAlert(event(1, order.Confirmed).OrderID, 42, "PublishEvent", time.Date(2026, 11, 2, 9, 40, 0, 0, time.UTC),
		"publish ORDER_CONFIRMED: connection refused", "It continues by itself once the cause is gone.")
}

func TestContents(t *testing.T) {
	t.Parallel()
	unpriced := event(2, order.Failed)
	unpriced.Items[0].Price, unpriced.Total = money.Money{}, money.Money{}
	c, err := customerContent(unpriced, []byte(`{"orderId":"2"}`))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "unpriced.txt", c.Plain)
	checkGolden(t, "unpriced.html", c.HTML)
	checkGolden(t, "unpriced.json", c.Payload+"\n")

	c, err = alertContent(attention(), []byte(`{"orderId":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "needs-attention.txt", c.Plain)
	checkGolden(t, "needs-attention.json", c.Payload+"\n")
}

func TestWhatCustomersRead(t *testing.T) {
	t.Parallel()
	unexplained := event(3, order.Failed)
	unexplained.Message = ""
	yen := event(4, order.Confirmed)
	yen.Items[0].Name, yen.Total = "", money.Money{Amount: 2598, Currency: "JPY"}

	got := map[string]string{}
	for name, e := range map[string]order.Event{
		"confirmed": event(1, order.Confirmed), "failed": event(2, order.Failed), "cancelled": event(2, order.Cancelled),
		"failed without a word": unexplained, "without a name, in yen": yen,
	} {
		c, err := customerContent(e, []byte("{}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = c.Short
	}
	const id = "0197a4b2-6c1e-7d3f-8a55-00000000000"
	want := map[string]string{
		"confirmed":              "Thank you! Your order " + id + "1 is confirmed: 2 × Espresso cup. You were charged $25.98.",
		"failed":                 "We could not complete your order " + id + "2. Your card was declined. You owe nothing for it.",
		"cancelled":              "Your order " + id + "2 was cancelled. Your card was declined. You owe nothing for it.",
		"failed without a word":  "We could not complete your order " + id + "3. You owe nothing for it.",
		"without a name, in yen": "Thank you! Your order " + id + "4 is confirmed: 2 × cup. You were charged ¥2,598.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestEventsThatCannotBeSummarizedAreErrors(t *testing.T) {
	t.Parallel()
	unknown := event(1, order.Confirmed)
	unknown.Type = "ORDER_LOST"
	noCurrency := event(1, order.Confirmed)
	noCurrency.Total = money.Money{}
	for name, e := range map[string]order.Event{"unknown type": unknown, "no currency": noCurrency} {
		if c, err := customerContent(e, []byte("{}")); err == nil {
			t.Errorf("%s: got %q, want an error", name, c.Short)
		}
	}
}

// A product's name and the text of an error come from other systems. They must not become lines of their own.
func TestNothingForgesALineOfAMail(t *testing.T) {
	t.Parallel()
	const forged = "Mug\r\nTotal: $0.00\x1b[2K\u202e"
	const shown = `Mug\r\nTotal: $0.00\x1b[2K\u202e`
	e := event(1, order.Confirmed)
	e.Items[0].Name = forged
	confirmed, err := customerContent(e, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	e = event(2, order.Failed)
	e.Items[0].Name, e.Message = forged, forged
	failed, err := customerContent(e, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	a := attention()
	a.Error = forged
	alert, err := alertContent(a, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"confirmed": confirmed.Plain, "confirmed, short": confirmed.Short, "confirmed, HTML": confirmed.HTML,
		"failed": failed.Plain, "failed, short": failed.Short, "failed, HTML": failed.HTML,
		"alert": alert.Plain, "alert, short": alert.Short,
	} {
		if !strings.Contains(text, shown) || strings.ContainsAny(text, "\r\x1b\u202e") || strings.Contains(text, "\nTotal: $0.00") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
