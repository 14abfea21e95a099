package rabbitmq

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

var update = flag.Bool("update", false, "write the golden files again")

func declined() order.Event {
	e := confirmed(7)
	e.Type, e.Status = order.EventCancelled, order.Failed
	e.Reason, e.Message = order.PaymentDeclined, "Your card was declined."
	return e
}

// neverPriced is the event of an order that was refused before its prices were known.
func neverPriced() order.Event {
	e := declined()
	e.Items = order.Unpriced(order.Items(e.Items))
	e.Total.Amount, e.Total.Currency = 0, ""
	e.Reason, e.Message = order.ProductNotFound, "There is no product tamper."
	return e
}

func TestBodiesAreAPublicFormat(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]order.Event{"confirmed": confirmed(7), "declined": declined(), "never-priced": neverPriced()} {
		m, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		want := checkGolden(t, name, m.Body)
		back, err := DecodeEvent(Message{ID: e.MessageID(), Body: want})
		if err != nil {
			t.Errorf("decode %s: %v", name, err)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Errorf("decoded %s (-want +got):\n%s", name, diff)
		}
	}
}

func needsAttention() order.Alert {
	return order.NewAlert(confirmed(7).OrderID, 42, "ChargePayment", time.Date(2026, 11, 2, 9, 35, 0, 0, time.UTC),
		"charge order: connection refused", "It continues by itself once the cause is gone.")
}

func TestBodiesForOperatorsAreAPublicFormat(t *testing.T) {
	t.Parallel()
	a := needsAttention()
	m, err := encodeAlert(a)
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "needs-attention", m.Body)
	back, err := DecodeAlert(Message{ID: m.MessageId, Body: m.Body})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, back); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if _, err := DecodeAlert(Message{ID: "another", Body: m.Body}); !isPoison(err) {
		t.Errorf("under another message's ID: got %v, want poison", err)
	}
}

// checkGolden compares a body with the one in testdata and returns the latter.
func checkGolden(t *testing.T, name string, body []byte) []byte {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
	return want
}

func TestWhatIsNotAnEventIsPoison(t *testing.T) {
	t.Parallel()
	id := confirmed(7).MessageID()
	m, err := encode(confirmed(7))
	if err != nil {
		t.Fatal(err)
	}
	body := string(m.Body)
	for name, m := range map[string]Message{
		"no message ID":      {Body: []byte(body)},
		"no JSON":            {ID: id, Body: []byte("hello")},
		"empty":              {ID: id},
		"cut off":            {ID: id, Body: []byte(body[:len(body)-1])},
		"two events":         {ID: id, Body: []byte(body + body)},
		"unknown version":    {ID: id, Body: []byte(strings.Replace(body, `"version":1`, `"version":2`, 1))},
		"no version":         {ID: id, Body: []byte(`{}`)},
		"no order ID":        {ID: id, Body: []byte(`{"version":1,"type":"ORDER_CONFIRMED"}`)},
		"another message ID": {ID: confirmed(8).MessageID(), Body: []byte(body)},
	} {
		if _, err := DecodeEvent(m); !isPoison(err) {
			t.Errorf("%s: got %v, want poison", name, err)
		}
	}
}

func TestFieldsOfLaterPublishersAreLeftOut(t *testing.T) {
	t.Parallel()
	m, err := encode(confirmed(7))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(string(m.Body), "{", `{"giftWrap":true,`, 1)
	got, err := DecodeEvent(Message{ID: m.MessageId, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(confirmed(7), got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}
