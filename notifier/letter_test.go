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

var update = flag.Bool("update", false, "write the golden files anew")

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
		"publish ORDER_CONFIRMED: connection refused", "It goes on by itself once the cause is gone.")
}

func TestLetters(t *testing.T) {
	t.Parallel()
	unpriced := event(2, order.Failed)
	unpriced.Items[0].Price, unpriced.Total = money.Money{}, money.Money{}
	l, err := customerLetter(unpriced, []byte(`{"orderId":"2"}`))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "unpriced.txt", l.Text)
	checkGolden(t, "unpriced.html", l.HTML)
	checkGolden(t, "unpriced.json", l.Payload+"\n")

	l, err = operatorsLetter(attention(), []byte(`{"orderId":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "needs-attention.txt", l.Text)
	checkGolden(t, "needs-attention.json", l.Payload+"\n")
}
