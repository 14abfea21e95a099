package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func (s *sim) refund(payment, amount string, more ...string) reply {
	s.t.Helper()
	return s.post("/v1/refunds", "", append([]string{"payment_intent", payment, "amount", amount}, more...)...)
}

func (s *sim) changeRefunds() int {
	s.t.Helper()
	n, err := s.ChangeRefunds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// paidBy returns the ID of an intent that has succeeded with the method.
func (s *sim) paidBy(method string) string {
	s.t.Helper()
	id := s.create("", method).id(s.t)
	s.post("/v1/payment_intents/"+id+"/confirm", "").id(s.t)
	return id
}

var alreadyRefunded = map[string]any{"status": 400, "type": "invalid_request_error", "code": "charge_already_refunded"}

func TestWhatARefundTakesItsFailureReturns(t *testing.T) {
	s := start(t)
	for status, counts := range map[string]bool{
		"pending": true, "requires_action": true, "succeeded": true, "failed": false, "canceled": false,
	} {
		s.faults(`[{"fault": "refund_status", "status": "` + status + `", "count": 1}]`)
		id := s.paid()
		refund := s.refund(id, "1299").id(t)
		got := s.get("/v1/refunds/" + refund)
		if got.body["status"] != status || (got.body["failure_reason"] != nil) != (status == "failed") {
			t.Errorf("%s: %s", status, got.text)
		}
		again := s.refund(id, "1299")
		if !counts {
			again.id(t)
			continue
		}
		wantProblem(t, again, alreadyRefunded)
		failed := s.post("/_sim/refunds/"+refund, "", "status", "failed", "failure_reason", "declined")
		if failed.body["failure_reason"] != "declined" {
			t.Errorf("%s, then failed: %s", status, failed.text)
		}
		s.refund(id, "1299").id(t)
	}
}

func TestRefundsChangeByThemselves(t *testing.T) {
	s := start(t, func(o *gateway.Options) { o.RefundDelay = 5 * time.Second })
	pending, failing := s.refund(s.paidBy("pm_card_pendingRefund"), "300"), s.refund(s.paidBy("pm_card_refundFail"), "300")
	status := func(r reply) string { return s.get("/v1/refunds/" + r.id(t)).body["status"].(string) }
	if s.changeRefunds() != 0 || status(pending) != "pending" || status(failing) != "succeeded" {
		t.Errorf("at first: %s, %s", status(pending), status(failing))
	}
	s.clock.Advance(5 * time.Second)
	if n := s.changeRefunds(); n != 2 || status(pending) != "succeeded" || status(failing) != "failed" {
		t.Errorf("%d changed: %s, %s", n, status(pending), status(failing))
	}
	if got := s.get("/v1/refunds/" + failing.id(t)).body["failure_reason"]; got != "expired_or_canceled_card" {
		t.Errorf("failed because of %v", got)
	}
	if n := s.changeRefunds(); n != 0 {
		t.Errorf("%d changed again", n)
	}

	s.faults(`[{"fault": "refund_status", "status": "pending", "then": "failed", "failureReason": "insufficient_funds",
		"afterMs": 60000}]`)
	ruled, byHand := s.refund(s.paid(), "300"), s.refund(s.paid(), "300")
	s.post("/_sim/refunds/"+byHand.id(t), "", "status", "canceled").id(t)
	s.clock.Advance(59 * time.Second)
	if n := s.changeRefunds(); n != 0 {
		t.Errorf("%d changed early", n)
	}
	s.clock.Advance(time.Second)
	if n := s.changeRefunds(); n != 1 || status(ruled) != "failed" || status(byHand) != "canceled" {
		t.Errorf("%d changed: %s, %s", n, status(ruled), status(byHand))
	}
}

func TestARefundEndsOnce(t *testing.T) {
	s := start(t)
	for from, allowed := range map[string][]string{
		"pending":         {"requires_action", "succeeded", "failed", "canceled"},
		"requires_action": {"pending", "succeeded", "failed", "canceled"},
		"succeeded":       {"failed"},
		"failed":          nil,
		"canceled":        nil,
	} {
		for _, to := range []string{"pending", "requires_action", "succeeded", "failed", "canceled"} {
			s.faults(`[{"fault": "refund_status", "status": "` + from + `"}]`)
			r := s.post("/_sim/refunds/"+s.refund(s.paid(), "300").id(t), "", "status", to)
			if want := slices.Contains(allowed, to); (r.status == 200) != want || want && r.body["status"] != to {
				t.Errorf("from %s to %s: %d %s", from, to, r.status, r.text)
			}
		}
	}
	r := s.post("/_sim/refunds/"+s.refund(s.paid(), "300").id(t), "", "status", "lost")
	wantProblem(t, r, map[string]any{"status": 400, "type": "invalid_request_error", "param": "status"})
}

func TestRefundsAreListedNewestFirst(t *testing.T) {
	s := start(t)
	one, other := s.paid(), s.paid()
	s.refund(other, "100").id(t)
	s.clock.Advance(time.Hour)
	var made []string
	for range 3 {
		made = append([]string{s.refund(one, "100", "metadata[refund_id]", "r").id(t)}, made...)
	}
	list := func(query string) (ids []string, more bool) {
		t.Helper()
		r := s.get("/v1/refunds?" + query)
		for _, item := range r.body["data"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		return ids, r.body["has_more"].(bool)
	}
	for _, query := range []string{"payment_intent=" + one, "created[gte]=" + strconv.FormatInt(s.clock.Now().Unix(), 10)} {
		first, more := list(query + "&limit=2")
		if diff := cmp.Diff(made[:2], first); diff != "" || !more {
			t.Errorf("%s: the first page, more: %t (-want +got):\n%s", query, more, diff)
		}
		rest, more := list(query + "&starting_after=" + first[1])
		if diff := cmp.Diff(made[2:], rest); diff != "" || more {
			t.Errorf("%s: the second page, more: %t (-want +got):\n%s", query, more, diff)
		}
	}
	if all, _ := list("limit=100"); len(all) != 4 {
		t.Errorf("%d refunds in all, want 4", len(all))
	}
	if got := s.get("/v1/refunds?payment_intent=" + one).text; !strings.Contains(got, `"refund_id": "r"`) {
		t.Errorf("the metadata is not listed: %s", got)
	}
	wantProblem(t, s.get("/v1/refunds?payment_intent=pi_x"),
		map[string]any{"status": 400, "type": "invalid_request_error", "code": "resource_missing", "param": "payment_intent"})
	wantProblem(t, s.get("/v1/refunds/re_x"),
		map[string]any{"status": 404, "type": "invalid_request_error", "code": "resource_missing", "param": "refund"})
}

func TestADisputeKeepsTheMoneyFromBeingRefunded(t *testing.T) {
	s := start(t)
	disputed := map[string]any{"status": 400, "type": "invalid_request_error", "code": "charge_disputed"}
	dispute := func(payment, status string) string {
		t.Helper()
		return s.post("/_sim/disputes", "", "payment_intent", payment, "status", status).id(t)
	}
	t.Run("open, then won", func(t *testing.T) {
		id := s.paid()
		d := dispute(id, "")
		wantProblem(t, s.refund(id, "100"), disputed)
		evidence := s.post("/v1/disputes/"+d, "", "evidence[uncategorized_text]", "winning_evidence", "submit", "true")
		if evidence.body["status"] != "won" {
			t.Error(evidence.text)
		}
		s.refund(id, "100").id(t)
		wantProblem(t, s.post("/v1/disputes/"+d+"/close", ""), map[string]any{"status": 400, "type": "invalid_request_error"})
	})
	t.Run("lost", func(t *testing.T) {
		for _, end := range [][]string{{"", "evidence[uncategorized_text]", "losing_evidence"}, {"/close"}} {
			id := s.paid()
			if r := s.post("/v1/disputes/"+dispute(id, "")+end[0], "", end[1:]...); r.body["status"] != "lost" {
				t.Error(r.text)
			}
			wantProblem(t, s.refund(id, "100"), disputed)
		}
	})
	t.Run("an inquiry takes nothing", func(t *testing.T) {
		id := s.paidBy("pm_card_createDisputeInquiry")
		s.refund(id, "100").id(t)
		r := s.get("/v1/disputes?payment_intent=" + id)
		d := r.body["data"].([]any)[0].(map[string]any)
		if d["status"] != "warning_needs_response" || d["is_charge_refundable"] != true {
			t.Error(r.text)
		}
		if r := s.post("/v1/disputes/"+d["id"].(string)+"/close", ""); r.body["status"] != "warning_closed" {
			t.Error(r.text)
		}
	})
	t.Run("refunds that are not through fail", func(t *testing.T) {
		id := s.paid()
		through := s.refund(id, "100").id(t)
		s.faults(`[{"fault": "refund_status", "status": "pending", "count": 1}]`)
		pending := s.refund(id, "100").id(t)
		dispute(id, "")
		if r := s.get("/v1/refunds/" + pending); r.body["failure_reason"] != "charge_for_pending_refund_disputed" {
			t.Error(r.text)
		}
		if r := s.get("/v1/refunds/" + through); r.body["status"] != "succeeded" {
			t.Error(r.text)
		}
	})
	t.Run("what makes no sense", func(t *testing.T) {
		open := s.create("", "pm_card_visa").id(t)
		for _, r := range []reply{
			s.post("/_sim/disputes", "", "payment_intent", open), s.post("/_sim/disputes", ""),
			s.post("/_sim/disputes", "", "payment_intent", "pi_x"),
			s.post("/_sim/disputes", "", "payment_intent", s.paid(), "status", "won"),
			s.post("/v1/disputes/"+dispute(s.paid(), ""), "", "evidence[uncategorized_text]", "he did it"),
		} {
			if r.status != 400 {
				t.Errorf("%d %s", r.status, r.text)
			}
		}
		wantProblem(t, s.get("/v1/disputes/dp_x"),
			map[string]any{"status": 404, "type": "invalid_request_error", "code": "resource_missing", "param": "dispute"})
	})
}

func TestADisputeLooksLikeStripes(t *testing.T) {
	s := start(t)
	id := s.paidBy("pm_card_createDispute")
	list := s.get("/v1/disputes?payment_intent=" + id).body["data"].([]any)
	if len(list) != 1 {
		t.Fatalf("%d disputes", len(list))
	}
	got := list[0].(map[string]any)
	charge, _ := s.get("/v1/payment_intents/" + id).body["latest_charge"].(string)
	want := map[string]any{
		"id": got["id"], "object": "dispute", "amount": 1299.0, "charge": charge, "created": float64(s.clock.Now().Unix()),
		"currency": "usd", "is_charge_refundable": false, "livemode": false, "metadata": map[string]any{}, "payment_intent": id,
		"reason": "fraudulent", "status": "needs_response",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dispute (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.get("/v1/disputes/"+got["id"].(string)).body); diff != "" {
		t.Errorf("by its ID (-want +got):\n%s", diff)
	}
}

func TestRefusalsAreKeptUnderTheirKeyUnlessAFaultForgetsThem(t *testing.T) {
	s := start(t)
	s.faults(`[{"fault": "refuse", "code": "charge_not_refundable", "count": 1}]`)
	refused := map[string]any{"status": 400, "type": "invalid_request_error", "code": "charge_not_refundable"}
	id := s.paid()
	wantProblem(t, s.post("/v1/refunds", "kept", "payment_intent", id), refused)
	if again := s.post("/v1/refunds", "kept", "payment_intent", id); !again.replayed || again.status != 400 {
		t.Errorf("the same key: %d %s", again.status, again.text)
	}
	s.faults(`[{"fault": "forget_refusal"}, {"fault": "refuse", "count": 1}]`)
	wantProblem(t, s.post("/v1/refunds", "forgotten", "payment_intent", id), refused)
	s.post("/v1/refunds", "forgotten", "payment_intent", id).id(t)
	wantProblem(t, s.post("/v1/refunds", "other", "payment_intent", id), alreadyRefunded)
	if again := s.post("/v1/refunds", "other", "payment_intent", id); again.replayed {
		t.Error("a natural refusal is kept")
	}
}

func TestAHangingCallHasItsEffect(t *testing.T) {
	s := start(t)
	id := s.paid()
	s.faults(`[{"fault": "hang", "operation": "refund", "count": 1}]`)
	ctx, giveUp := context.WithCancel(t.Context())
	form := url.Values{"payment_intent": {id}, "amount": {"300"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/refunds", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", "k1")
	ended := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(req)
		ended <- err
	}()
	servicestest.Eventually(t, 30*time.Second, "the refund is there", func() bool { return s.audit("order-1").Refunded == 300 })
	giveUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want no response", err)
	}
	for again := (reply{}); !again.replayed; { // 409 until the gateway has noticed that the client is gone
		if again = s.post("/v1/refunds", "k1", "payment_intent", id, "amount", "300"); again.status != 200 && again.status != 409 {
			t.Fatal(again.text)
		}
	}
	if got := s.audit("order-1"); got.Refunded != 300 {
		t.Errorf("refunded %d, want 300 once", got.Refunded)
	}
}

// TestTheChargesAgreeWithTheRefunds does anything to a payment's refunds. What its charge has given back is always the sum of the
// refunds that did not fail, and never more than was captured.
func TestTheChargesAgreeWithTheRefunds(t *testing.T) {
	s := start(t)
	statuses := rapid.SampledFrom([]string{"pending", "requires_action", "succeeded", "failed", "canceled"})
	orders := 0
	rapid.Check(t, func(t *rapid.T) {
		orders++
		order := "order-" + strconv.Itoa(orders)
		id := s.create("", "pm_card_visa", "metadata[order_id]", order).id(s.t)
		s.post("/v1/payment_intents/"+id+"/confirm", "").id(s.t)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			p := s.audit(order).PaymentIntents[0]
			switch step := rapid.SampledFrom([]string{"refund", "refund", "change", "dispute"}).Draw(t, "step"); {
			case step == "refund":
				s.faults(`[{"fault": "refund_status", "status": "` + statuses.Draw(t, "status") + `"}]`)
				s.refund(id, strconv.Itoa(rapid.IntRange(1, 1300).Draw(t, "amount")))
			case step == "change" && len(p.Refunds) > 0:
				s.post("/_sim/refunds/"+rapid.SampledFrom(p.Refunds).Draw(t, "refund").ID, "", "status", statuses.Draw(t, "status"))
			case step == "dispute":
				dispute := s.post("/_sim/disputes", "", "payment_intent", id).id(s.t)
				s.post("/v1/disputes/"+dispute, "", "evidence[uncategorized_text]", "winning_evidence")
			}
			if p = s.audit(order).PaymentIntents[0]; p.Refunded != p.Charges[0].Refunded || p.Refunded > p.Captured {
				t.Fatalf("the charge has given back %d, the refunds are %d of %d", p.Charges[0].Refunded, p.Refunded, p.Captured)
			}
		}
	})
}

func TestTheLedgerShowsRefundsAndDisputes(t *testing.T) {
	s := start(t)
	id := s.paid()
	refund := s.refund(id, "299", "metadata[refund_id]", "refund-1").id(t)
	failed := s.refund(id, "1").id(t)
	s.post("/_sim/refunds/"+failed, "", "status", "failed").id(t)
	s.post("/_sim/disputes", "", "payment_intent", id).id(t)
	got := s.audit("order-1")
	p := got.PaymentIntents[0]
	for i := range p.Refunds {
		p.Refunds[i].CreatedAt, p.Refunds[i].ChargeID = time.Time{}, ""
	}
	want := []gateway.Refund{
		{ID: refund, Amount: 299, Status: "succeeded", Metadata: map[string]string{"refund_id": "refund-1"}},
		{ID: failed, Amount: 1, Status: "failed", FailureReason: "expired_or_canceled_card", Metadata: map[string]string{}},
	}
	if diff := cmp.Diff(want, p.Refunds); diff != "" || got.Refunded != 299 || got.Net != 1000 {
		t.Errorf("refunded %d, net %d (-want +got):\n%s", got.Refunded, got.Net, diff)
	}
	if len(p.Disputes) != 1 || p.Disputes[0].Amount != 1299 || p.Disputes[0].Status != "needs_response" {
		t.Errorf("disputes: %+v", p.Disputes)
	}
	page := s.get("/").text
	for _, part := range []string{"refund_id=refund-1", "2.99 USD", "expired_or_canceled_card", "dispute: needs response"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not show %q", part)
		}
	}
}
