package gateway_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func TestAKnownKeyGetsTheStoredResponse(t *testing.T) {
	s := start(t)
	first, second := s.create("k1", "pm_card_visa"), s.create("k1", "pm_card_visa")
	if first.replayed || !second.replayed || first.text != second.text {
		t.Errorf("the second response is not the first one, replayed: %t, %t, %s", first.replayed, second.replayed, second.text)
	}
	if other := s.create("k2", "pm_card_visa"); other.id(t) == first.id(t) {
		t.Error("another key got the same intent")
	}
	// Even after the state has changed: what is stored is stored.
	s.post("/v1/payment_intents/"+first.id(t)+"/confirm", "")
	if third := s.create("k1", "pm_card_visa"); third.text != first.text {
		t.Errorf("the third response has changed: %s", third.text)
	}
}

func TestAKnownKeyWithOtherParametersIsRefused(t *testing.T) {
	s := start(t)
	id := s.create("k1", "pm_card_visa").id(t)
	want := map[string]any{"status": 400, "type": "idempotency_error"}
	wantProblem(t, s.create("k1", "pm_card_mastercard"), want)
	wantProblem(t, s.post("/v1/payment_intents/"+id+"/confirm", "k1"), want)
}

func TestAKeyInUseIsAConflict(t *testing.T) {
	s := start(t)
	s.faults(`[{"fault": "latency", "operation": "create", "latencyMs": 1500, "count": 1}]`)
	var first sync.WaitGroup
	first.Go(func() { s.create("k1", "pm_card_visa") })
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.get("/_sim/faults").text, `"struck":1`); {
		if time.Now().After(deadline) {
			t.Fatal("the first call has not begun")
		}
	}
	wantProblem(t, s.create("k1", "pm_card_visa"), map[string]any{"status": 409, "type": "invalid_request_error", "code": "idempotency_key_in_use"})
	first.Wait()
	if again := s.create("k1", "pm_card_visa"); !again.replayed {
		t.Errorf("after the first call: %s", again.text)
	}
}

func TestConcurrentCallsUnderOneKeyMakeOneIntentEvenOverTwoProcesses(t *testing.T) {
	s := start(t)
	other := *s
	other.serve()
	var all sync.WaitGroup
	for i := range 16 {
		from := s
		if i%2 == 1 {
			from = &other
		}
		all.Go(func() {
			if r := from.create("k1", "pm_card_visa"); r.status != 200 && r.status != 409 {
				t.Errorf("status %d: %s", r.status, r.text)
			}
		})
	}
	all.Wait()
	if n := len(s.audit("order-1").PaymentIntents); n != 1 {
		t.Errorf("%d intents under one key", n)
	}
}

func TestKeysAreForgotten(t *testing.T) {
	s := start(t)
	first := s.create("k1", "pm_card_visa").id(t)
	s.clock.Advance(24*time.Hour - time.Second)
	if s.create("k1", "pm_card_visa").id(t) != first {
		t.Error("forgotten too early")
	}
	s.clock.Advance(time.Second)
	if s.create("k2", "pm_card_visa").id(t) == first {
		t.Error("two keys made one intent")
	}
	var keys []string
	if err := s.pool.QueryRow(t.Context(), `SELECT array_agg(key) FROM idempotency_keys`).Scan(&keys); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(keys, []string{"k2"}) {
		t.Errorf("the table holds %v after the life of k1, want only k2", keys)
	}
	if s.create("k1", "pm_card_visa").id(t) == first {
		t.Error("still known after its life")
	}
}

func TestWhatNeverBeganIsNotStored(t *testing.T) {
	s := start(t)
	wantProblem(t, s.post("/v1/payment_intents", "k1", "amount", "1299"),
		map[string]any{"status": 400, "type": "invalid_request_error", "code": "parameter_missing", "param": "currency"})
	if r := s.create("k1", "pm_card_visa"); r.status != 200 || r.replayed {
		t.Errorf("the corrected request returns %d: %s", r.status, r.text)
	}
}

func TestADeclineIsStoredAndRemembered(t *testing.T) {
	s := start(t)
	id := s.create("", "pm_card_chargeDeclinedInsufficientFunds").id(t)
	first := s.post("/v1/payment_intents/"+id+"/confirm", "k1")
	wantProblem(t, first, map[string]any{"status": 402, "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"})
	if again := s.post("/v1/payment_intents/"+id+"/confirm", "k1"); !again.replayed || again.text != first.text {
		t.Errorf("the same key: %s", again.text)
	}
	got := s.get("/v1/payment_intents/" + id)
	last, _ := got.body["last_payment_error"].(map[string]any)
	if got.body["status"] != "requires_payment_method" || got.body["payment_method"] != nil || last["decline_code"] != "insufficient_funds" {
		t.Errorf("the intent after a decline: %s", got.text)
	}
	wantProblem(t, s.post("/v1/payment_intents/"+id+"/confirm", "k2"),
		map[string]any{"status": 400, "type": "invalid_request_error", "code": "payment_intent_unexpected_state"})
}

func TestAnErrorObjectLooksLikeStripes(t *testing.T) {
	s := start(t)
	id := s.create("", "pm_card_chargeDeclined").id(t)
	r := s.post("/v1/payment_intents/"+id+"/confirm", "")
	object, ok := r.body["error"].(map[string]any)
	if !ok {
		t.Fatalf("no error object: %s", r.text)
	}
	intent, _ := object["payment_intent"].(map[string]any)
	if intent["id"] != id || intent["object"] != "payment_intent" || intent["status"] != "requires_payment_method" {
		t.Errorf("the intent in the error: %v", intent)
	}
	if charge, _ := object["charge"].(string); !strings.HasPrefix(charge, "ch_") {
		t.Errorf("the charge in the error: %v", object["charge"])
	}
	delete(object, "payment_intent")
	delete(object, "charge")
	want := map[string]any{
		"code": "card_declined", "decline_code": "generic_decline", "doc_url": "https://docs.stripe.com/error-codes#card_declined",
		"message": "Your card was declined.", "type": "card_error",
		"payment_method": map[string]any{"id": "pm_card_chargeDeclined", "object": "payment_method", "type": "card"},
	}
	if diff := cmp.Diff(want, object); diff != "" {
		t.Errorf("error object (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(r.header.Get("Request-Id"), "req_") {
		t.Errorf("Request-Id: %q", r.header.Get("Request-Id"))
	}
}

func TestAnIntentsStatusDecidesWhatItAllows(t *testing.T) {
	s := start(t)
	unexpected := map[string]any{"status": 400, "type": "invalid_request_error", "code": "payment_intent_unexpected_state"}
	t.Run("cancelled: nothing is allowed", func(t *testing.T) {
		id := s.create("", "pm_card_visa").id(t)
		if r := s.post("/v1/payment_intents/"+id+"/cancel", ""); r.body["status"] != "canceled" {
			t.Fatal(r.text)
		}
		for _, call := range []string{"confirm", "cancel"} {
			wantProblem(t, s.post("/v1/payment_intents/"+id+"/"+call, ""), unexpected)
		}
		wantProblem(t, s.post("/v1/refunds", "", "payment_intent", id), map[string]any{"status": 400, "type": "invalid_request_error"})
	})
	t.Run("succeeded: it can only be refunded", func(t *testing.T) {
		id := s.paid()
		for _, call := range []string{"confirm", "cancel"} {
			wantProblem(t, s.post("/v1/payment_intents/"+id+"/"+call, ""), unexpected)
		}
	})
	t.Run("the customer would have to authenticate", func(t *testing.T) {
		id := s.create("", "pm_card_authenticationRequired").id(t)
		r := s.post("/v1/payment_intents/"+id+"/confirm", "")
		if r.body["status"] != "requires_action" || r.body["latest_charge"] != nil {
			t.Error(r.text)
		}
		wantProblem(t, s.post("/v1/payment_intents/"+id+"/confirm", ""), unexpected)
	})
}

func TestNoMoreIsRefundedThanWasCaptured(t *testing.T) {
	s := start(t)
	id := s.paid()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { s.post("/v1/refunds", "", "payment_intent", id, "amount", "200") })
	}
	all.Wait()
	if got := s.audit("order-1"); got.Refunded != 1200 || got.Net != 99 {
		t.Errorf("refunded %d of 1299 in parts of 200, want 1200", got.Refunded)
	}
	s.post("/v1/refunds", "", "payment_intent", id).id(t) // the rest
	wantProblem(t, s.post("/v1/refunds", "", "payment_intent", id),
		map[string]any{"status": 400, "type": "invalid_request_error", "code": "charge_already_refunded"})
	got := s.get("/v1/payment_intents/" + id + "?expand[]=latest_charge")
	charge, _ := got.body["latest_charge"].(map[string]any)
	if charge["refunded"] != true || charge["amount_refunded"] != 1299.0 {
		t.Errorf("the charge: %v", charge)
	}
	_, err := s.pool.Exec(t.Context(), `UPDATE charges SET amount_refunded = amount_captured + 1`)
	if err == nil {
		t.Error("the database accepts a refund of more than was captured")
	}
}

func TestARefundLooksLikeStripes(t *testing.T) {
	s := start(t)
	id := s.paid()
	refund := s.post("/v1/refunds", "", "payment_intent", id, "amount", "100").body
	charge, _ := s.get("/v1/payment_intents/" + id).body["latest_charge"].(string)
	want := map[string]any{
		"id": refund["id"], "object": "refund", "amount": 100.0, "charge": charge, "created": float64(s.clock.Now().Unix()),
		"currency": "usd", "metadata": map[string]any{}, "payment_intent": id, "status": "succeeded",
	}
	if diff := cmp.Diff(want, refund); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
}

func TestIntentsAreListedNewestFirst(t *testing.T) {
	s := start(t)
	s.paid()
	s.clock.Advance(time.Hour)
	var made []string
	for range 3 {
		made = append([]string{s.paid()}, made...)
	}
	list := func(query string) (ids []string, more bool) {
		r := s.get("/v1/payment_intents?expand[]=data.latest_charge&" + query)
		for _, item := range r.body["data"].([]any) {
			intent := item.(map[string]any)
			ids = append(ids, intent["id"].(string))
			if charge, _ := intent["latest_charge"].(map[string]any); charge["amount_captured"] != 1299.0 {
				t.Errorf("the charge is not expanded: %v", intent)
			}
		}
		return ids, r.body["has_more"].(bool)
	}
	since := "created[gte]=" + strconv.FormatInt(s.clock.Now().Unix(), 10)
	first, more := list(since + "&limit=2")
	if diff := cmp.Diff(made[:2], first); diff != "" || !more {
		t.Errorf("the first page, more: %t (-want +got):\n%s", more, diff)
	}
	rest, more := list(since + "&starting_after=" + first[1])
	if diff := cmp.Diff(made[2:], rest); diff != "" || more {
		t.Errorf("the second page, more: %t (-want +got):\n%s", more, diff)
	}
}

func TestSearchesLag(t *testing.T) {
	s := start(t)
	var made []string
	for range 3 {
		made = append([]string{s.create("", "pm_card_visa").id(t)}, made...)
	}
	query := "/v1/payment_intents/search?limit=2&query=" + url.QueryEscape("metadata['order_id']:'order-1'")
	search := func(page string) (ids []string, next string) {
		r := s.get(query + page)
		for _, item := range r.body["data"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		next, _ = r.body["next_page"].(string)
		return ids, next
	}
	if ids, _ := search(""); len(ids) != 0 {
		t.Errorf("found at once: %v", ids)
	}
	s.clock.Advance(time.Minute)
	first, next := search("")
	second, end := search("&page=" + next)
	if diff := cmp.Diff(made, append(first, second...)); diff != "" || end != "" {
		t.Errorf("found on two pages, then %q (-want +got):\n%s", end, diff)
	}
	wantProblem(t, s.get("/v1/payment_intents/search?query=amount%3E5"), map[string]any{"status": 400, "type": "invalid_request_error", "param": "query"})
}

func TestWrongRequestsAreRejectedInStripesWords(t *testing.T) {
	s := start(t)
	create := func(name, value string) reply {
		params := url.Values{"amount": {"1299"}, "currency": {"usd"}, "payment_method": {"pm_card_visa"}}
		params.Set(name, value)
		return s.do(http.MethodPost, "/v1/payment_intents", "", params.Encode(), nil)
	}
	for name, test := range map[string]struct {
		reply       reply
		status      int
		code, param string
	}{
		"no such intent":         {s.get("/v1/payment_intents/pi_x"), 404, "resource_missing", "intent"},
		"refund of no intent":    {s.post("/v1/refunds", "", "payment_intent", "pi_x"), 400, "resource_missing", "payment_intent"},
		"no such URL":            {s.get("/v1/customers"), 404, "", ""},
		"no payment method":      {create("payment_method", ""), 400, "parameter_missing", "payment_method"},
		"refund of nothing":      {s.post("/v1/refunds", "", "amount", "1"), 400, "parameter_missing", "payment_intent"},
		"unknown parameter":      {create("confirm", "true"), 400, "parameter_unknown", "confirm"},
		"no number":              {create("amount", "12.99"), 400, "parameter_invalid_integer", "amount"},
		"zero":                   {create("amount", "0"), 400, "parameter_invalid_integer", "amount"},
		"too small":              {create("amount", "49"), 400, "amount_too_small", "amount"},
		"too large":              {create("amount", "100000000"), 400, "amount_too_large", "amount"},
		"a single fils":          {s.create("", "pm_card_visa", "currency", "kwd", "amount", "1501"), 400, "parameter_invalid_integer", "amount"},
		"half a króna":           {s.create("", "pm_card_visa", "currency", "isk", "amount", "1250"), 400, "parameter_invalid_integer", "amount"},
		"unknown currency":       {create("currency", "zzz"), 400, "", "currency"},
		"unknown payment method": {create("payment_method", "pm_x"), 400, "resource_missing", "payment_method"},
		"a card number":          {create("payment_method", "4242424242424242"), 400, "parameter_invalid", "payment_method"},
		"metadata too long":      {create("metadata[a]", strings.Repeat("x", 501)), 400, "", "metadata"},
		"a NUL":                  {create("metadata[a]", "a\x00b"), 400, "", "metadata[a]"},
		"a long key":             {s.create(strings.Repeat("k", 256), "pm_card_visa"), 400, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]any{"status": test.status, "type": "invalid_request_error"}
			if test.code != "" {
				want["code"] = test.code
			}
			if test.param != "" {
				want["param"] = test.param
			}
			wantProblem(t, test.reply, want)
			if strings.Contains(test.reply.text, "4242424242424242") {
				t.Errorf("the card number is in the response: %s", test.reply.text)
			}
		})
	}
}

func TestEveryChangeNeedsTheAPIKey(t *testing.T) {
	s := start(t)
	for _, header := range []string{"", "Bearer sk_test_other", "Basic Og=="} {
		h := http.Header{"Authorization": {header}}
		for call, r := range map[string]reply{
			"create":     s.do(http.MethodPost, "/v1/payment_intents", "", "amount=1299&currency=usd", h),
			"retrieve":   s.do(http.MethodGet, "/v1/payment_intents/pi_x", "", "", h),
			"put faults": s.do(http.MethodPut, "/_sim/faults", "", "[]", h),
			"refund":     s.do(http.MethodPost, "/v1/refunds", "", "payment_intent=pi_x", h),
			"change":     s.do(http.MethodPost, "/_sim/refunds/re_x", "", "status=failed", h),
			"dispute":    s.do(http.MethodPost, "/_sim/disputes", "", "payment_intent=pi_x", h),
		} {
			if r.status != 401 || strings.Contains(r.text, "sk_test") {
				t.Errorf("%s with %q: %d %s", call, header, r.status, r.text)
			}
		}
		for _, path := range []string{"/", "/_sim/ledger", "/_sim/faults", "/livez", "/readyz"} {
			if r := s.do(http.MethodGet, path, "", "", h); r.status != 200 {
				t.Errorf("GET %s with %q: %d %s", path, header, r.status, r.text)
			}
		}
	}
}

func TestFaultsThatMakeNoSenseAreRejected(t *testing.T) {
	s := start(t)
	for _, body := range []string{
		`{}`, `[{}]`, `[{"fault": "fire"}]`, `[{"fault": "reset", "operation": "juggle"}]`, `[{"fault": "reset", "rate": 2}]`,
		`[{"fault": "latency"}]`, `[{"fault": "latency", "latencyMs": 3600000}]`, `[{"fault": "reset", "count": -1}]`,
		`[{"fault": "decline", "operation": "create"}]`, `[{"fault": "refuse", "operation": "confirm"}]`,
		`[{"fault": "refund_status"}]`, `[{"fault": "refund_status", "status": "lost"}]`, `[{"fault": "reset", "then": "failed"}]`,
		`[{"fault": "refund_status", "status": "failed", "then": "succeeded"}]`, `[{"fault": "event_late"}]`,
		`[{"fault": "event_lost", "operation": "refund"}]`, `[{"fault": "event_lost", "event": "charge.captured"}]`,
		`[{"fault": "reset", "event": "refund.failed"}]`, `[{"fault": "event_late", "afterMs": -1}]`,
		`[{"fault": "reset", "orderID2": "x"}]`, `nonsense`,
	} {
		if r := s.do(http.MethodPut, "/_sim/faults", "", body, nil); r.status != 400 {
			t.Errorf("%s returns %d: %s", body, r.status, r.text)
		}
	}
	if got := s.get("/_sim/faults").text; got != "[]" {
		t.Errorf("the faults: %s", got)
	}
}

func TestFaultsStrikeOnlyCallsThatMeetTheirConditions(t *testing.T) {
	s := start(t)
	s.faults(`[{"fault": "decline", "orderId": "order-2", "declineCode": "lost_card", "count": 1},
		{"fault": "error_before", "paymentMethod": "pm_card_amex", "operation": "create"}, {"fault": "outage", "rate": 0}]`)
	s.paid() // of order-1, unharmed
	id := s.create("", "pm_card_visa", "metadata[order_id]", "order-2").id(t)
	wantProblem(t, s.post("/v1/payment_intents/"+id+"/confirm", ""),
		map[string]any{"status": 402, "type": "card_error", "code": "card_declined", "decline_code": "lost_card"})
	again := s.create("", "pm_card_visa", "metadata[order_id]", "order-2").id(t)
	if r := s.post("/v1/payment_intents/"+again+"/confirm", ""); r.status != 200 {
		t.Errorf("struck more than once: %s", r.text)
	}
	wantProblem(t, s.create("", "pm_card_amex"), map[string]any{"status": 500, "type": "api_error"})
	s.faults(`[]`)
	s.create("", "pm_card_amex").id(t)
}

func TestTheDeclineRateIsASetting(t *testing.T) {
	s := start(t, func(o *gateway.Options) { o.DeclineRate = 1 })
	id := s.create("", "pm_card_visa").id(t)
	wantProblem(t, s.post("/v1/payment_intents/"+id+"/confirm", ""),
		map[string]any{"status": 402, "type": "card_error", "code": "card_declined", "decline_code": "generic_decline"})
}

func TestTheLedgerShowsTheMoneyOfEveryOrder(t *testing.T) {
	s := start(t)
	id := s.paid()
	s.post("/v1/refunds", "", "payment_intent", id, "amount", "299").id(t)
	declined := s.create("", "pm_card_chargeDeclined", "metadata[order_id]", "order-2").id(t)
	s.post("/v1/payment_intents/"+declined+"/confirm", "")

	ledger, err := s.Audit(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range ledger.Orders {
		ledger.Orders[i].PaymentIntents = nil
	}
	want := gateway.Ledger{Orders: []gateway.OrderLedger{
		{OrderID: "order-1", Captured: 1299, Refunded: 299, Net: 1000, Captures: 1},
		{OrderID: "order-2"},
	}}
	if diff := cmp.Diff(want, ledger); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	one := s.get("/_sim/ledger?order_id=order-2")
	if !strings.Contains(one.text, `"declineCode":"generic_decline"`) || strings.Contains(one.text, "order-1") || strings.Contains(one.text, "_secret_") {
		t.Errorf("the ledger of one order: %s", one.text)
	}
}

func TestThePageShowsAmountsAsPeopleWriteThem(t *testing.T) {
	s := start(t)
	for _, c := range [][2]string{{"jpy", "500"}, {"kwd", "1500"}, {"isk", "70000"}, {"mga", "1200"}} {
		s.create("", "pm_card_visa", "currency", c[0], "amount", c[1]).id(t)
	}
	page := s.get("/").text
	for _, amount := range []string{"500 JPY", "1.500 KWD", "700 ISK", "1200.00 MGA"} {
		if !strings.Contains(page, ">"+amount+"<") {
			t.Errorf("%s is not shown", amount)
		}
	}
}

func TestThePageEscapesWhatClientsSend(t *testing.T) {
	s := start(t)
	if r := s.get("/"); !strings.Contains(r.text, "No payments yet") {
		t.Errorf("the empty page: %s", r.text)
	}
	s.create("", "pm_card_visa", "metadata[order_id]", "<script>alert(1)</script>")
	s.paid()
	r := s.get("/")
	if strings.Contains(r.text, "<script") || !strings.Contains(r.text, "&lt;script&gt;") || !strings.Contains(r.text, "12.99 USD") {
		t.Errorf("the page: %s", r.text)
	}
	if !strings.Contains(r.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %q", r.header.Get("Content-Security-Policy"))
	}
}
