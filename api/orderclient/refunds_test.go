package orderclient_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/api/orderclient"
)

const (
	refundID = "5d7f7a52-9c1e-8b3a-a1b2-0f7f2f3c1a2b"
	booked   = `{"id":"` + refundID + `","orderId":"` + id + `","status":"BOOKED","kind":"RETURN","money":"GATEWAY",` +
		`"amount":{"amount":999,"currency":"USD"},"lines":[],"createdAt":"2026-11-01T00:00:00Z"}`
	tooLarge = `{"type":"/problems/quantity-too-large","title":"Too many units","status":409,"orderId":"` + id + `","refundId":"` +
		refundID + `","reason":"QUANTITY_TOO_LARGE","lines":[{"line":1,"asked":3,"left":2}]}`
)

var newRefund = orderclient.NewRefund{Kind: orderclient.Return, Lines: []orderclient.RefundItem{{Line: 1, Quantity: 1}}}

func TestALostResponseIsNotASecondRefund(t *testing.T) {
	t.Parallel()
	s, c := serve(t, reply{breaks: true}, reply{status: 503, body: unknown},
		reply{status: 202, body: booked, header: map[string]string{"Idempotency-Replayed": "true"}})
	r, err := c.Refund(t.Context(), id, newRefund)
	if err != nil || r.ID != refundID || r.Status != orderclient.RefundBooked || !r.Replayed {
		t.Errorf("got %+v, %v; want the refund that the first request asked for", r, err)
	}
	key := s.requests[0].Header.Get("Idempotency-Key")
	for i, again := range s.requests {
		if got := again.Header.Get("Idempotency-Key"); got != key || key == "" {
			t.Errorf("request %d has the key %q, want %q", i, got, key)
		}
	}
}

func TestARefusedRefundSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	_, c := serve(t, reply{status: 409, body: tooLarge})
	_, err := c.Refund(t.Context(), id, newRefund, orderclient.WithKey("rma-1"))
	var p *orderclient.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	want := &orderclient.Problem{
		Type: orderclient.QuantityTooLarge, Title: "Too many units", Status: 409, OrderID: id, RefundID: refundID,
		Reason: "QUANTITY_TOO_LARGE", Lines: []orderclient.LineLeft{{Line: 1, Asked: 3, Left: 2}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestRefundsAreRead(t *testing.T) {
	t.Parallel()
	_, c := serve(t, reply{status: 200, body: booked}, reply{status: 200, body: fmt.Sprintf(`{"refunds":[%s]}`, booked)})
	one, err := c.GetRefund(t.Context(), id, refundID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Refunds(t.Context(), id)
	if diff := cmp.Diff([]orderclient.Refund{*one}, all); diff != "" || err != nil || one.Amount.Amount != 999 {
		t.Errorf("%+v, %v (-one +listed):\n%s", one, err, diff)
	}
}

func TestACancelledConfirmedOrderNamesItsRefund(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{"/orders/" + id + "/refunds/" + refundID: refundID, "/orders/" + id: ""} {
		_, c := serve(t, reply{status: 202, body: confirmed, header: map[string]string{"Location": location}})
		o, err := c.Cancel(t.Context(), id, "ordered twice")
		if err != nil || o.RefundID != want {
			t.Errorf("%s: got %+v, %v; want the refund %q", location, o, err, want)
		}
	}
}
