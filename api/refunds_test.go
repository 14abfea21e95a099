package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

var (
	refundsPath = "/orders/" + string(keyed) + "/refunds"
	firstRefund = refundID(keyed, "r-1")
)

const underR1 = "Idempotency-Key: r-1"

// newShop is the API with the order keyed, which is confirmed. Its refunds do what the script does.
func newShop(t testing.TB, script refundScript) *testAPI {
	t.Helper()
	api := newTestAPIWith(t, confirms, withTokens)
	api.engine.refund = script
	sellMugs(t, api.store.Memory)
	return api
}

// ask sends a request with an operator's token.
func (a *testAPI) ask(t testing.TB, method, path, body string, headers ...string) response {
	t.Helper()
	return a.send(t, method, path, body, append(headers, token(t, "clerk-7", scopeOperator))...)
}

func TestARefundIsMadeAndShown(t *testing.T) {
	t.Parallel()
	api := newShop(t, answers(order.RefundSucceeded))
	body := `{"kind":"RETURN","lines":[{"line":1,"quantity":1,"restock":0}],"reason":"RMA 1042","message":"Sorry about the chip."}`
	shown := `{"id":"` + string(firstRefund) + `","orderId":"` + string(keyed) + `","status":"SUCCEEDED","kind":"RETURN",
		"money":"GATEWAY","amount":{"amount":999,"currency":"USD"},"lines":[{"line":1,"productId":"mug","quantity":1,"restock":0,
		"value":{"amount":999,"currency":"USD"}}],"message":"Sorry about the chip.","createdAt":"2026-11-01T12:00:00Z",
		"acceptedAt":"2026-11-01T12:00:00Z"%s}`
	operators := fmt.Sprintf(shown, `,"operator":{"requestedBy":"OPERATOR","subject":"clerk-7","reason":"RMA 1042",
		"gatewayId":"re_1","units":"DUE"}`)
	for _, replayed := range []string{"", "true"} {
		got := api.ask(t, "POST", refundsPath, body, underR1)
		got.want(t, 201, operators)
		got.wantHeader(t, "Idempotency-Replayed", replayed)
		got.wantHeader(t, "Location", refundsPath+"/"+string(firstRefund))
	}
	api.ask(t, "GET", refundsPath+"/"+string(firstRefund), "").want(t, 200, operators)
	api.ask(t, "GET", refundsPath, "").want(t, 200, `{"refunds":[`+operators+`]}`)
	mine := token(t, "42", scopeOrders)
	api.send(t, "GET", refundsPath+"/"+string(firstRefund), "", mine).want(t, 200, fmt.Sprintf(shown, ""))
	api.send(t, "GET", refundsPath, "", mine).want(t, 200, `{"refunds":[`+fmt.Sprintf(shown, "")+`]}`)

	o := api.send(t, "GET", "/orders/"+string(keyed), "", mine)
	if o.body["givenBack"] != "PART" || o.body["fulfilment"] != "NONE" || !strings.Contains(o.raw, `"returned":1`) ||
		!strings.Contains(o.raw, `"refunded":{"amount":999,"currency":"USD"}`) {
		t.Errorf("the order shows %s, want a half that was given back", o.raw)
	}
}

// What becomes of a request, by what the saga does.
func TestARefundIsAnswered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script refundScript
		status int
		want   string // the status, or the problem's type
	}{
		"accepted":                      {answers(order.RefundPending), 201, "PENDING"},
		"paid out":                      {answers(order.RefundSucceeded), 201, "SUCCEEDED"},
		"accepted, and failed at once":  {answers(order.RefundFailed), 201, "FAILED"},
		"refused by the gateway":        {answers(order.RefundRefused), 409, "/problems/refund-refused"},
		"the gateway is down":           {books, 202, "BOOKED"},
		"no worker runs":                {idles, 202, "REQUESTED"},
		"temporal is down":              {breaks(temporalclient.ErrUnavailable), 503, "/problems/unavailable"},
		"the start's response was lost": {breaks(temporalclient.ErrUnknown), 503, "/problems/outcome-unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newShop(t, test.script)
			for i := range 2 {
				got := api.ask(t, "POST", refundsPath, oneBack, underR1, "Prefer: wait=5")
				if got.status != test.status || got.body["status"] != test.want && got.body["type"] != test.want {
					t.Errorf("request %d: got %d %s, want %d %s", i, got.status, got.raw, test.status, test.want)
				}
				switch {
				case got.status == 503:
					if got.body["type"] == "/problems/outcome-unknown" && got.body["refundId"] != string(firstRefund) {
						t.Errorf("%s does not name the refund", got.raw)
					}
				case i > 0:
					got.wantHeader(t, "Idempotency-Replayed", "true")
				}
				if got.status == 202 {
					got.wantHeader(t, "Retry-After", "1")
					got.wantHeader(t, "Location", refundsPath+"/"+string(firstRefund))
					if shown := api.ask(t, "GET", got.header.Get("Location"), ""); shown.body["status"] != test.want {
						t.Errorf("shown: %d %s, want %s", shown.status, shown.raw, test.want)
					}
				}
			}
		})
	}
}

// The books say no: nothing happens, the response says what is left, and a repetition gets the same.
func TestTheBooksRefuse(t *testing.T) {
	t.Parallel()
	ship := func(t *testing.T, s *memory) {
		_, err := s.Shipments().Ship(t.Context(), order.ShipmentRequest{
			ID: "ship-1", OrderID: keyed, Items: []order.ShipmentItem{{Line: 1, Quantity: 1}}, Hash: "c0ffee",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		before func(*testing.T, *memory)
		body   string
		want   string // the type, and the members besides the IDs
	}{
		"more money than is left": {
			nil, `{"kind":"GOODWILL","amount":{"amount":1999,"currency":"USD"}}`,
			`refund-too-large {"amount":1998,"currency":"USD"} null`,
		},
		"more units than are left": {
			nil, `{"kind":"RETURN","lines":[{"line":1,"quantity":3}]}`, `quantity-too-large null [{"asked":3,"left":2,"line":1}]`,
		},
		"nothing is left": {
			func(t *testing.T, s *memory) {
				if err := answers(order.RefundSucceeded)(s, allBack); err != nil {
					t.Fatal(err)
				}
			}, `{"kind":"CANCELLATION"}`, `nothing-left null null`,
		},
		"shipped": {ship, `{"kind":"CANCELLATION"}`, `order-shipped null [{"asked":2,"left":1,"line":1}]`},
		"disputed": {
			func(t *testing.T, s *memory) {
				d := order.Dispute{ID: "dp_1", OrderID: keyed, PaymentID: "pi_1", Amount: money.Money{Amount: 1998, Currency: "USD"}}
				if err := s.Refunds().NoteDispute(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}, oneBack, `payment-disputed null null`,
		},
		"replaces nothing": {
			nil, `{"kind":"CANCELLATION","replaces":"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"}`, `not-replaceable null null`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newShop(t, answers(order.RefundSucceeded))
			if test.before != nil {
				test.before(t, api.store.Memory)
			}
			for _, replayed := range []string{"", "true"} {
				got := api.ask(t, "POST", refundsPath, test.body, underR1)
				kind, _ := got.body["type"].(string)
				summary := strings.TrimPrefix(kind, "/problems/") + " " + marshal(t, got.body["left"]) + " " + marshal(t, got.body["lines"])
				if got.status != 409 || summary != test.want {
					t.Errorf("got %d %s, want 409 %s", got.status, summary, test.want)
				}
				if got.body["orderId"] != string(keyed) || got.body["refundId"] != string(firstRefund) || got.body["reason"] == nil {
					t.Errorf("%s does not name the order, the refund and the reason", got.raw)
				}
				got.wantHeader(t, "Idempotency-Replayed", replayed)
			}
			all := api.ask(t, "GET", refundsPath, "")
			mine := api.send(t, "GET", refundsPath, "", token(t, "42", scopeOrders))
			if !strings.Contains(all.raw, string(firstRefund)) || strings.Contains(mine.raw, string(firstRefund)) {
				t.Errorf("operators see %s, the customer sees %s: want the refusal for operators only", all.raw, mine.raw)
			}
		})
	}
}

func TestARefundThatFitsNoOrderIsNotAskedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ body, want string }{
		{`{"kind":"RETURN"}`, "#/lines: a RETURN needs lines"},
		{`{"kind":"RETURN","lines":[{"line":2,"quantity":1}]}`, "#/lines/0/line: the order has 1 lines"},
		{`{"kind":"RETURN","lines":[{"line":0,"quantity":1}]}`, "#/lines/0/line: expected number >= 1"},
		{`{"kind":"RETURN","lines":[{"line":1,"quantity":0}]}`, "#/lines/0/quantity: expected number >= 1"},
		{`{"kind":"RETURN","lines":[{"line":1,"quantity":1,"restock":2}]}`, "#/lines/0/restock: is more than the quantity"},
		{
			`{"kind":"RETURN","lines":[{"line":1,"quantity":1},{"line":1,"quantity":1}]}`,
			"#/lines/1/line: the line is named twice",
		},
		{`{"kind":"GOODWILL"}`, "#/amount: a GOODWILL refund needs an amount"},
		{`{"kind":"GOODWILL","amount":{"amount":0,"currency":"USD"}}`, "#/amount/amount: expected number >= 1"},
		{`{"kind":"GOODWILL","amount":{"amount":1,"currency":"EUR"}}`, "#/amount/currency: the order is in USD"},
		{
			`{"kind":"GOODWILL","amount":{"amount":1,"currency":"usd"}}`,
			"#/amount/currency: expected string to be an ISO 4217 code",
		},
		{
			`{"kind":"GOODWILL","amount":{"amount":1,"currency":"USD"},"lines":[{"line":1,"quantity":1}]}`,
			"#/lines: a GOODWILL refund has no lines",
		},
		{
			`{"kind":"RETURN","money":"NONE","amount":{"amount":1,"currency":"USD"},"lines":[{"line":1,"quantity":1}]}`,
			"#/amount: there is none when no money moves",
		},
		{`{"kind":"OUTSIDE"}`, `#/kind: expected value to be one of "RETURN, GOODWILL, CANCELLATION"`},
	} {
		api := newShop(t, breaks(errors.New("the saga was asked")))
		got := api.ask(t, "POST", refundsPath, test.body, underR1)
		if fields := fieldsOf(t, got); got.status != 422 || fields != test.want {
			t.Errorf("%s: got %d %s, want 422 %s", test.body, got.status, fields, test.want)
		}
	}
	if got := newShop(t, idles).ask(t, "POST", refundsPath, oneBack+strings.Repeat(" ", 64<<10), underR1); got.status != 413 {
		t.Errorf("a large body: got %d %s, want 413", got.status, got.raw)
	}
	got := newShop(t, idles).ask(t, "POST", refundsPath, oneBack)
	if got.status != 422 || !strings.Contains(got.raw, "Idempotency-Key") {
		t.Errorf("without a key: got %d %s, want 422", got.status, got.raw)
	}
}

func TestAKeyMeansOneRefund(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]refundScript{"made": answers(order.RefundPending), "booked": books, "not booked yet": idles} {
		api := newShop(t, script)
		api.ask(t, "POST", refundsPath, oneBack, underR1)
		got := api.ask(t, "POST", refundsPath, `{"kind":"CANCELLATION"}`, underR1)
		if got.status != 422 || got.body["type"] != "/problems/idempotency-key-reused" || got.body["refundId"] != string(firstRefund) {
			t.Errorf("%s, another body: got %d %s, want 422", name, got.status, got.raw)
		}
	}
	if refundID(keyed, "k") == refundID("another", "k") || string(refundID(keyed, "k")) == string(orderID(42, "k")) ||
		cancellationID(keyed) == refundID(keyed, "") {
		t.Error("the IDs of two things are equal")
	}
}

func TestRequestsUnderOneKeyAtOnceAreOneRefund(t *testing.T) {
	t.Parallel()
	api := newShop(t, answers(order.RefundSucceeded))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := api.ask(t, "POST", refundsPath, oneBack, underR1, "Prefer: wait=5"); got.status != 201 {
				t.Errorf("got %d %s, want 201", got.status, got.raw)
			}
		})
	}
	wg.Wait()
	if all, _ := api.store.Refunds().OfOrder(t.Context(), keyed); len(all) != 1 {
		t.Errorf("there are %d refunds, want 1", len(all))
	}
}

// The response leaves when the gateway has answered, not when the wait is over.
func TestARequestWaitsForTheGateway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := newPatientAPI(t, confirms)
		sellMugs(t, api.store.Memory)
		api.engine.refund = func(s *memory, req order.RefundRequest) error {
			time.AfterFunc(3*time.Second, func() { _ = answers(order.RefundPending)(s, req) })
			return nil
		}
		began := time.Now()
		got := api.send(t, "POST", refundsPath, oneBack, underR1)
		if took := time.Since(began); got.status != 201 || took < 3*time.Second || took > 3*time.Second+2*longPause {
			t.Errorf("got %d %s after %s, want 201 soon after 3s", got.status, got.raw, took)
		}
	})
}

func TestRefundsAreShownToWhomTheyConcern(t *testing.T) {
	t.Parallel()
	api := newShop(t, answers(order.RefundSucceeded))
	api.ask(t, "POST", refundsPath, oneBack, underR1)
	theirs := token(t, "43", scopeOrders)
	other := "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"
	for _, test := range []struct {
		method, path, who string
		status            int
		kind              string
	}{
		{"POST", refundsPath, token(t, "42", scopeOrders), 403, "forbidden"},
		{"GET", refundsPath, theirs, 404, "order-not-found"},
		{"GET", refundsPath + "/" + string(firstRefund), theirs, 404, "order-not-found"},
		{"GET", refundsPath + "/" + other, token(t, "42", scopeOrders), 404, "refund-not-found"},
		{"POST", "/orders/" + other + "/refunds", token(t, "1", scopeOperator), 404, "order-not-found"},
	} {
		body := ""
		if test.method == "POST" {
			body = oneBack
		}
		got := api.send(t, test.method, test.path, body, test.who, "Idempotency-Key: r-2")
		if got.status != test.status || got.body["type"] != "/problems/"+test.kind {
			t.Errorf("%s %s: got %d %s, want %d %s", test.method, test.path, got.status, got.raw, test.status, test.kind)
		}
	}
}

func TestAnOrderThatIsNotConfirmedIsNotRefunded(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]script{
		"no row": sleeps, "pending": hesitates, "failed": ended(order.Cause{Reason: order.PaymentDeclined}),
	} {
		api := newTestAPI(t, script)
		place(t, api)
		got := api.send(t, "POST", refundsPath, oneBack, underR1)
		if got.status != 409 || got.body["type"] != "/problems/order-not-confirmed" {
			t.Errorf("%s: got %d %s, want 409 order-not-confirmed", name, got.status, got.raw)
		}
	}
}

func TestTheETagOfAnOrderFollowsItsRefunds(t *testing.T) {
	t.Parallel()
	api := newShop(t, answers(order.RefundPending))
	path := "/orders/" + string(keyed)
	tag := api.ask(t, "GET", path, "").header.Get("ETag")
	if got := api.ask(t, "GET", path, "", "If-None-Match: "+tag); got.status != 304 {
		t.Errorf("unchanged: got %d, want 304", got.status)
	}
	api.ask(t, "POST", refundsPath, oneBack, underR1)
	if got := api.ask(t, "GET", path, "", "If-None-Match: "+tag); got.status != 200 {
		t.Errorf("after a refund: got %d, want 200", got.status)
	}
}

func TestAConfirmedOrderIsCancelled(t *testing.T) {
	t.Parallel()
	shipped := func(s *memory) {
		_, _ = s.Shipments().Ship(context.Background(), order.ShipmentRequest{
			ID: "ship-1", OrderID: keyed, Items: []order.ShipmentItem{{Line: 1, Quantity: 1}}, Hash: "c0ffee",
		})
	}
	disputed := func(s *memory) {
		_ = s.Refunds().NoteDispute(context.Background(), order.Dispute{
			ID: "dp_1", OrderID: keyed, PaymentID: "pi_1", Amount: money.Money{Amount: 1998, Currency: "USD"},
		})
	}
	givenBack := func(s *memory) {
		_ = answers(order.RefundSucceeded)(s, allBack)
	}
	nothing := func(*memory) {}
	mine, operator := token(t, "42", scopeOrders), token(t, "1", scopeOperator)
	for name, test := range map[string]struct {
		before func(*memory)
		script refundScript
		who    string
		status int
		want   string
	}{
		"given back":            {nothing, answers(order.RefundSucceeded), mine, 200, "CONFIRMED "},
		"accepted":              {nothing, answers(order.RefundPending), mine, 200, "CONFIRMED "},
		"by an operator":        {nothing, answers(order.RefundPending), operator, 200, "CONFIRMED "},
		"the gateway is down":   {nothing, books, mine, 202, "CONFIRMED "},
		"no worker runs":        {nothing, idles, mine, 202, "CONFIRMED "},
		"the gateway says no":   {nothing, answers(order.RefundRefused), mine, 409, "/problems/refund-refused"},
		"shipped":               {shipped, answers(order.RefundPending), mine, 409, "/problems/order-shipped"},
		"disputed":              {disputed, answers(order.RefundPending), mine, 409, "/problems/payment-disputed"},
		"was given back before": {givenBack, answers(order.RefundPending), mine, 409, "/problems/nothing-left"},
		"somebody else's":       {nothing, answers(order.RefundPending), token(t, "43", scopeOrders), 404, "/problems/order-not-found"},
		"the response was lost": {nothing, breaks(temporalclient.ErrUnknown), mine, 503, "/problems/outcome-unknown"},
		"temporal is down":      {nothing, breaks(temporalclient.ErrUnavailable), mine, 503, "/problems/unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newShop(t, test.script)
			test.before(api.store.Memory)
			for _, body := range []string{`{"reason":"ordered twice"}`, ""} {
				got := api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", body, test.who)
				if summary := summarize(got); got.status != test.status || summary != test.want {
					t.Errorf("got %d %q, want %d %q", got.status, summary, test.status, test.want)
				}
				if got.status < 300 {
					got.wantHeader(t, "Location", refundsPath+"/"+string(cancellationID(keyed)))
				}
				if got.status == 200 && got.body["givenBack"] != "ALL" {
					t.Errorf("got %s, want all of it given back", got.raw)
				}
			}
		})
	}
}

// The window counts from the confirmation, for customers alone.
func TestTheCancelWindowEnds(t *testing.T) {
	t.Parallel()
	for who, want := range map[string]string{
		token(t, "42", scopeOrders): "/problems/cancel-window-over", token(t, "1", scopeOperator): "CONFIRMED ",
	} {
		api := newShop(t, func(s *memory, req order.RefundRequest) error {
			if !req.ConfirmedSince.IsZero() {
				if at := now.Add(-testCancelWindow); !req.ConfirmedSince.Equal(at) {
					return fmt.Errorf("confirmed since %s, want %s", req.ConfirmedSince, at)
				}
				req.ConfirmedSince = now.Add(time.Second) // as if the order were old
			}
			return answers(order.RefundSucceeded)(s, req)
		})
		if got := api.send(t, "POST", "/orders/"+string(keyed)+"/cancel", "", who); summarize(got) != want {
			t.Errorf("got %d %s, want %s", got.status, got.raw, want)
		}
	}
}
