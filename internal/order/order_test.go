package order_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

func TestOnlyCanonicalUUIDsAreOrderIDs(t *testing.T) {
	t.Parallel()
	const good = "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11"
	if id, err := order.ParseID(good); err != nil || id.WorkflowID() != "order-"+good {
		t.Errorf("%s: %v, %v", good, id, err)
	}
	for _, bad := range []string{"", "7", good[:35], good + "0", "0190D3A2-7C1E-7A44-9A07-0C4A8E2F5B11",
		"0190d3a2x7c1e-7a44-9a07-0c4a8e2f5b11", "g190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11"} {
		if _, err := order.ParseID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestTotalIsTheSumOrARefusal(t *testing.T) {
	t.Parallel()
	line := func(quantity int, amount int64, currency string) order.Line {
		return order.Line{ProductID: "lamp", Quantity: quantity, Price: money.Money{Amount: amount, Currency: currency}}
	}
	tests := map[string]struct {
		lines []order.Line
		want  money.Money
		why   order.Reason
	}{
		"two lines":      {[]order.Line{line(2, 1299, "USD"), line(1, 2, "USD")}, money.Money{Amount: 2600, Currency: "USD"}, ""},
		"mixed":          {[]order.Line{line(1, 1, "USD"), line(1, 1, "JPY")}, money.Money{}, order.MixedCurrencies},
		"line too big":   {[]order.Line{line(2, math.MaxInt64, "USD")}, money.Money{}, order.InvalidAmount},
		"sum too big":    {[]order.Line{line(1, math.MaxInt64, "USD"), line(1, 1, "USD")}, money.Money{}, order.InvalidAmount},
		"free":           {[]order.Line{line(3, 0, "USD")}, money.Money{}, order.InvalidAmount},
		"nothing at all": {nil, money.Money{}, order.InvalidAmount},
	}
	for name, tt := range tests {
		got, err := order.Total(tt.lines)
		var refused *order.Refusal
		errors.As(err, &refused)
		switch {
		case tt.why == "" && (err != nil || got != tt.want):
			t.Errorf("%s: got %v, %v, want %v", name, got, err, tt.want)
		case tt.why != "" && (refused == nil || refused.Cause.Reason != tt.why):
			t.Errorf("%s: got %v, %v, want %s", name, got, err, tt.why)
		}
	}
}

func TestOnlyOrdersThatWereCancelledEndAsCancelled(t *testing.T) {
	t.Parallel()
	for reason, want := range map[order.Reason]order.Status{
		order.CancelledByUser: order.Cancelled, order.CancelledByOperator: order.Cancelled,
		order.OutOfStock: order.Failed, order.TimedOut: order.Failed,
		order.Interrupted: order.Failed, order.PaymentDeclined: order.Failed,
	} {
		if got := reason.FinalStatus(); got != want {
			t.Errorf("%s ends as %s, want %s", reason, got, want)
		}
	}
}

// TestWorkflowInputKeepsItsFormat fails when a change would make recorded histories unreadable.
func TestWorkflowInputKeepsItsFormat(t *testing.T) {
	t.Parallel()
	in := order.Request{ID: "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11", UserID: 42,
		Items: []order.Item{{ProductID: "lamp", Quantity: 2}}, PaymentMethod: "pm_card_visa", Hash: "ab"}
	const want = `{"id":"0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11","userId":42,"items":[{"productId":"lamp","quantity":2}],` +
		`"paymentMethod":"pm_card_visa","hash":"ab"}`
	got, err := json.Marshal(in)
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

func TestSameOrderGivesTheSameEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o := order.Order{ID: "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11", UserID: 42, Status: order.Failed, UpdatedAt: at,
		Cause: &order.Cause{Reason: order.PaymentDeclined, Message: "the card was declined"}}
	want := order.Event{Version: 1, Type: order.EventCancelled, OrderID: o.ID, UserID: 42, Status: order.Failed,
		Reason: order.PaymentDeclined, Message: "the card was declined", OccurredAt: at}
	if diff := cmp.Diff(want, order.NewEvent(o)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := order.NewEvent(o).MessageID(); got != string(o.ID)+".ORDER_CANCELLED" {
		t.Errorf("message ID %s", got)
	}
	o.Status, o.Cause = order.Confirmed, nil
	if e := order.NewEvent(o); e.Type != order.EventConfirmed || e.Reason != "" {
		t.Errorf("event of a confirmed order: %+v", e)
	}
}
