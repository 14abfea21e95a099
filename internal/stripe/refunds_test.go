package stripe_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
	"github.com/ordersaga/ordersaga/stripesim/gateway/gatewaytest"
)

func TestRefusalsOfTheGatewayAreOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	for code, reason := range map[string]order.RefundReason{
		"charge_already_refunded": order.AlreadyRefunded,
		"charge_disputed":         order.PaymentDisputed,
		"refund_disputed_payment": order.PaymentDisputed,
		"charge_not_refundable":   order.GatewayRefused,
		"amount_too_large":        order.GatewayRefused,
	} {
		p, id := w.charged("pm_card_visa")
		r := w.part(p, id, 300)
		w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultRefuse, Code: code})
		outcome, err := w.refundPart(r)
		if err != nil || outcome.Status != order.RefundRefused || outcome.Cause.Reason != reason ||
			outcome.Cause.By != order.RefusedByGateway || outcome.Cause.Message == "" || outcome.GatewayID != "" {
			t.Errorf("%s: %+v, %v; want refused as %s", code, outcome, err, reason)
		}
	}
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultRefuse, Code: "another_code"})
	p, id := w.charged("pm_card_visa")
	if outcome, err := w.refundPart(w.part(p, id, 300)); err == nil {
		t.Errorf("an unknown code: %+v, want broken", outcome)
	}
}

func TestARefusalIsNotBelievedWhenTheGatewayHasTheRefund(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	r := w.part(p, id, 1299)
	found := w.gateway.Post("/v1/refunds", url.Values{ // as if under a key that the gateway has forgotten
		"payment_intent": {id}, "amount": {"1299"}, "metadata[order_id]": {string(p.OrderID)}, "metadata[refund_id]": {string(r.ID)},
	})
	outcome, err := w.refundPart(r)
	want := order.RefundOutcome{Status: order.RefundSucceeded, GatewayID: found}
	if diff := cmp.Diff(want, outcome); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	w.wantRefundedOnce(r)
	// Without the list there is no telling.
	other := w.part(p, id, 100)
	w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultOutage, Operation: "refund_list"})
	if outcome, err := w.refundPart(other); err == nil {
		t.Errorf("refused without a list: %+v", outcome)
	}
}

// TestARefusalThatIsNotKept: a dispute was won, and a repeated attempt under the same key succeeds.
func TestARefusalThatIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	for _, kept := range []bool{true, false} {
		w.gateway.SetFaults()
		if !kept {
			w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultForgetRefusal})
		}
		p, id := w.charged("pm_card_visa")
		r := w.part(p, id, 300)
		dispute := w.gateway.Dispute(id)
		if outcome, err := w.refundPart(r); err != nil || outcome.Status != order.RefundRefused {
			t.Fatalf("disputed: %+v, %v", outcome, err)
		}
		w.gateway.EndDispute(dispute, true)
		outcome, err := w.refundPart(r)
		if err != nil || (outcome.Status == order.RefundRefused) != kept || len(w.atGateway(r)) == 1 == kept {
			t.Errorf("kept %t: then %+v, %v", kept, outcome, err)
		}
	}
}

func TestEveryStatusAtTheGatewayIsOneOfOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	for status, want := range map[string]order.RefundStatus{
		"pending": order.RefundPending, "requires_action": order.RefundPending, "succeeded": order.RefundSucceeded,
		"failed": order.RefundFailed, "canceled": order.RefundFailed,
	} {
		p, id := w.charged("pm_card_visa")
		r := w.part(p, id, 300)
		w.gateway.SetFaults(gateway.Rule{Fault: gateway.FaultRefundStatus, Status: status})
		first, err := w.refundPart(r)
		if err != nil || first.Status != want || first.GatewayID == "" || (first.Cause != nil) != (want == order.RefundFailed) {
			t.Errorf("%s: %+v, %v; want %s", status, first, err, want)
		}
		// Another call tells the same, and FindRefund too.
		again, err := w.refundPart(r)
		if diff := cmp.Diff(first, again); diff != "" || err != nil {
			t.Errorf("%s: again: %v (-first +again):\n%s", status, err, diff)
		}
		found, ok, err := w.payments.FindRefund(t.Context(), r)
		if diff := cmp.Diff(first, found); diff != "" || !ok || err != nil {
			t.Errorf("%s: found: %t, %v (-first +found):\n%s", status, ok, err, diff)
		}
		w.wantRefundedOnce(r)
	}
}

func TestWhatBecameOfARefundIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	r := w.part(p, id, 300)
	if outcome, err := w.refundPart(r); err != nil || outcome.Status != order.RefundSucceeded {
		t.Fatalf("%+v, %v", outcome, err)
	}
	failed := url.Values{"status": {"failed"}, "failure_reason": {"lost_or_stolen_card"}}
	w.gateway.Post("/_sim/refunds/"+w.atGateway(r)[0].ID, failed)
	outcome, err := w.refundPart(r) // the stored response says succeeded
	if err != nil || outcome.Status != order.RefundFailed || outcome.Cause.Reason != order.GatewayFailed {
		t.Errorf("%+v, %v; want the failure", outcome, err)
	}
	if strings.Contains(outcome.Cause.Message, "stolen") {
		t.Errorf("the customer, who may be a thief, is told: %s", outcome.Cause.Message)
	}
	w.wantRefundedOnce(r)
}

func TestRefundsThatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	good := w.part(p, id, 300)
	w.gateway.Close() // nothing is asked
	for name, change := range map[string]func(*order.Refund){
		"no ID":           func(r *order.Refund) { r.ID = "" },
		"not a UUID":      func(r *order.Refund) { r.ID = "../x" },
		"no order":        func(r *order.Refund) { r.OrderID = "" },
		"no payment":      func(r *order.Refund) { r.PaymentID = "" },
		"not a payment":   func(r *order.Refund) { r.PaymentID = "ch_1/x" },
		"no amount":       func(r *order.Refund) { r.Amount.Amount = 0 },
		"negative":        func(r *order.Refund) { r.Amount.Amount = -1 },
		"no currency":     func(r *order.Refund) { r.Amount.Currency = "" },
		"finer than fils": func(r *order.Refund) { r.Amount = money.Money{Amount: 1501, Currency: "KWD"} },
		"no time":         func(r *order.Refund) { r.CreatedAt = time.Time{} },
	} {
		r := good
		change(&r)
		if outcome, err := w.refundPart(r); err == nil || strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
	if _, err := w.refundPart(good); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the good one, with the gateway down: %v", err)
	}
}

func TestARefundNeedsAttentionAtOnceWhenOnlyAPersonCanHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	stranger, err := stripe.New(stripe.Config{URL: w.gateway.URL, Key: "sk_test_wrong"}, discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		payments *stripe.Payments
		refund   order.Refund
		tells    string
	}{
		"a payment that the gateway does not know": {w.payments, w.part(p, "pi_unknown", 300), "another account"},
		"a wrong key": {stranger, w.part(p, id, 300), "does not accept the API key"},
	} {
		outcome, err := test.payments.RefundPart(t.Context(), test.refund)
		var response *stripe.Error
		if !errors.As(err, &response) || !response.NeedsAttention() || !strings.Contains(err.Error(), test.tells) {
			t.Errorf("%s: %+v, %v", name, outcome, err)
		}
	}
}

// TestAListThatIsNoneProvesNothing: something between us and the gateway returns 200 for everything.
func TestAListThatIsNoneProvesNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"{}", `{"object":"refund","id":"re_1"}`, "<html>", ""} {
		proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(body)) }))
		defer proxy.Close()
		payments, err := stripe.New(stripe.Config{URL: proxy.URL, Key: apiKey}, discard)
		if err != nil {
			t.Fatal(err)
		}
		r := order.Refund{
			ID: order.RefundID(uuid.NewString()), OrderID: order.ID(uuid.NewString()), PaymentID: "pi_1",
			Amount: money.Money{Amount: 1, Currency: "USD"}, CreatedAt: time.Now().Add(-30 * time.Hour),
		}
		if outcome, found, err := payments.FindRefund(t.Context(), r); err == nil {
			t.Errorf("%q: %+v, found %t", body, outcome, found)
		}
	}
}

func TestLongListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_visa")
	w.gateway.RefundByHand(id, "1")
	w.clock.Advance(time.Hour)
	since := w.clock.Now()
	oldest := w.part(p, id, 100)
	if _, err := w.refundPart(oldest); err != nil {
		t.Fatal(err)
	}
	made := []string{w.atGateway(oldest)[0].ID}
	for range 101 {
		made = append(made, w.gateway.RefundByHand(id, "2"))
	}
	if _, found, err := w.payments.FindRefund(t.Context(), oldest); !found || err != nil {
		t.Errorf("the oldest refund is found: %t, %v", found, err)
	}
	all, err := w.payments.RefundsOf(t.Context(), id)
	if err != nil || len(all) != 103 || all[1].RefundID != oldest.ID || all[1].OrderID != p.OrderID || all[2].RefundID != "" {
		t.Errorf("%d refunds, %v; want 103 with ours as the second", len(all), err)
	}
	var listed []string
	page := ""
	for pages := 1; pages == 1 || page != ""; pages++ {
		found, next, err := w.payments.RefundsSince(t.Context(), since, page)
		if err != nil || len(found) == 0 || pages > 2 {
			t.Fatalf("page %d has %d refunds: %v", pages, len(found), err)
		}
		for _, g := range found {
			listed = append(listed, g.ID)
		}
		page = next
	}
	slices.Reverse(listed)
	if diff := cmp.Diff(made, listed); diff != "" {
		t.Errorf("the account's refunds since then (-made +listed):\n%s", diff)
	}
}

func TestRefundsAreCountedAsTheirCurrencyIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	for _, total := range []money.Money{
		{Amount: 700, Currency: "ISK"}, {Amount: 120000, Currency: "MGA"}, {Amount: 1500, Currency: "KWD"},
	} {
		p := w.payment("pm_card_visa")
		p.Amount = total
		id, err := w.charge(p)
		if err != nil {
			t.Fatal(err)
		}
		r := w.part(p, id, total.Amount/7/money.CardStep(total.Currency)*money.CardStep(total.Currency))
		if outcome, err := w.refundPart(r); err != nil || outcome.Status != order.RefundSucceeded {
			t.Errorf("%s: %+v, %v", r.Amount, outcome, err)
		}
		w.gateway.Dispute(id)
		refunds, err := w.payments.RefundsOf(t.Context(), id)
		if err != nil || len(refunds) != 1 || refunds[0].Amount != r.Amount {
			t.Errorf("refunded %s, listed %+v, %v", r.Amount, refunds, err)
		}
		disputes, err := w.payments.DisputesOf(t.Context(), id)
		if err != nil || len(disputes) != 1 || disputes[0].Amount != total {
			t.Errorf("disputed %s, listed %+v, %v", total, disputes, err)
		}
	}
}

func TestDisputesAreListedAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gatewaytest.Ledger(t))
	p, id := w.charged("pm_card_createDisputeProductNotReceived")
	first, err := w.payments.DisputesOf(t.Context(), id)
	if err != nil || len(first) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	w.gateway.EndDispute(first[0].ID, true)
	w.clock.Advance(time.Minute)
	second := w.gateway.Dispute(id)
	w.gateway.EndDispute(second, false)
	want := []order.Dispute{
		{ID: first[0].ID, PaymentID: id, Amount: p.Amount, Status: "won", Reason: "product_not_received", Closed: true},
		{ID: second, PaymentID: id, Amount: p.Amount, Status: "lost", Reason: "fraudulent", Closed: true, Lost: true},
	}
	got, err := w.payments.DisputesOf(t.Context(), id)
	for i := range got {
		if got[i].OpenedAt.IsZero() {
			t.Errorf("%s has no time", got[i].ID)
		}
		got[i].OpenedAt = time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
