package notifier

import (
	"flag"
	"os"
	"path/filepath"
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
