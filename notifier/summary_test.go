package notifier

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

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
		text, err := summary(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = text
	}
	want := map[string]string{
		"confirmed":              "Thank you! Your order 0197a4b2-6c1e-7d3f-8a55-000000000001 is confirmed: 2 × Espresso cup. You were charged $25.98.",
		"failed":                 "We could not complete your order 0197a4b2-6c1e-7d3f-8a55-000000000002. Your card was declined. You pay nothing for it.",
		"cancelled":              "Your order 0197a4b2-6c1e-7d3f-8a55-000000000002 was cancelled. Your card was declined. You pay nothing for it.",
		"failed without a word":  "We could not complete your order 0197a4b2-6c1e-7d3f-8a55-000000000003. You pay nothing for it.",
		"without a name, in yen": "Thank you! Your order 0197a4b2-6c1e-7d3f-8a55-000000000004 is confirmed: 2 × cup. You were charged ¥2,598.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestEventsThatCannotBeSummarizedAreErrors(t *testing.T) {
	t.Parallel()
	unknown := event(1, order.Confirmed)
	unknown.Type = "ORDER_SHIPPED"
	noCurrency := event(1, order.Confirmed)
	noCurrency.Total = money.Money{}
	for name, e := range map[string]order.Event{"unknown type": unknown, "no currency": noCurrency} {
		if text, err := summary(e); err == nil {
			t.Errorf("%s: got %q, want an error", name, text)
		}
	}
}
