package api

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

const pricedOrder = `{"id":"ID","userId":42,"status":"PENDING",
	"items":[{"productId":"mug","name":"MUG","quantity":2,"price":{"amount":999,"currency":"USD"}}],
	"total":{"amount":1998,"currency":"USD"},"createdAt":"2026-11-01T12:00:00Z","updatedAt":"2026-11-01T12:00:00Z"}`

var confirmedOrder = strings.Replace(pricedOrder, `"PENDING"`, `"CONFIRMED","givenBack":"NONE","fulfilment":"NONE"`, 1)

func withID(body string, id order.ID) string {
	return strings.ReplaceAll(body, `"ID"`, `"`+string(id)+`"`)
}

func TestConfirmedOrderIs201WithItsLocation(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	got := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	got.want(t, 201, withID(confirmedOrder, keyed))
	got.wantHeader(t, "Location", "/orders/"+string(keyed))
	got.wantHeader(t, "ETag", `"2"`)
	got.wantHeader(t, "Idempotency-Replayed", "")
	got.wantHeader(t, "Link", `<http://ui/workflows/order-`+string(keyed)+`>; rel="monitor"`)
}

func TestOrdersWithoutAKeyAreNewEachTime(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	first, second := api.send(t, "POST", "/orders", twoMugs), api.send(t, "POST", "/orders", twoMugs)
	if first.status != 201 || second.status != 201 || first.body["id"] == second.body["id"] {
		t.Errorf("got %d %v and %d %v, want two orders", first.status, first.body["id"], second.status, second.body["id"])
	}
}

func TestDefaultPaymentMethodIsChargedWhenNoneIsNamed(t *testing.T) {
	t.Parallel()
	var charged string
	api := newTestAPI(t, func(s *memory, req order.Request) error {
		charged = req.PaymentMethod
		return confirms(s, req)
	})
	api.send(t, "POST", "/orders", `{"userId":1,"items":[{"productId":"mug","quantity":1}]}`)
	if charged != "pm_card_visa" {
		t.Errorf("charged %q, want the default", charged)
	}
}

// Every reason of a failed or cancelled order, and the response to the waiting client.
func TestTheCauseOfARefusedOrderIsTheProblem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cause  order.Cause
		status int
		want   string // of the problem, without title, detail and instance
	}{
		"out of stock": {
			order.Cause{Reason: order.OutOfStock, Shortages: []order.Shortage{{ProductID: "mug", Requested: 2, Available: 1}}}, 400,
			`{"type":"/problems/out-of-stock","status":400,"orderId":"ID","reason":"OUT_OF_STOCK","shortages":[{"productId":"mug","requested":2,"available":1}]}`,
		},
		"declined": {
			order.Cause{Reason: order.PaymentDeclined, DeclineCode: "insufficient_funds"}, 400,
			`{"type":"/problems/payment-declined","status":400,"orderId":"ID","reason":"PAYMENT_DECLINED","declineCode":"insufficient_funds"}`,
		},
		"unknown product": {
			order.Cause{Reason: order.ProductNotFound, ProductIDs: []string{"mug"}}, 404,
			`{"type":"/problems/product-not-found","status":404,"orderId":"ID","reason":"PRODUCT_NOT_FOUND","productIds":["mug"]}`,
		},
		"mixed currencies": {
			order.Cause{Reason: order.MixedCurrencies}, 400,
			`{"type":"/problems/mixed-currencies","status":400,"orderId":"ID","reason":"MIXED_CURRENCIES"}`,
		},
		"amount": {
			order.Cause{Reason: order.InvalidAmount}, 400,
			`{"type":"/problems/invalid-amount","status":400,"orderId":"ID","reason":"INVALID_AMOUNT"}`,
		},
		"hold lost": {
			order.Cause{Reason: order.ReservationLost}, 409,
			`{"type":"/problems/order-failed","status":409,"orderId":"ID","reason":"RESERVATION_LOST"}`,
		},
		"past the deadline": {
			order.Cause{Reason: order.TimedOut}, 409,
			`{"type":"/problems/order-timed-out","status":409,"orderId":"ID","reason":"TIMED_OUT"}`,
		},
		"cancelled by the user": {
			order.Cause{Reason: order.CancelledByUser}, 409,
			`{"type":"/problems/order-cancelled","status":409,"orderId":"ID","reason":"CANCELLED_BY_USER"}`,
		},
		"cancelled by an operator": {
			order.Cause{Reason: order.CancelledByOperator}, 409,
			`{"type":"/problems/order-cancelled","status":409,"orderId":"ID","reason":"CANCELLED_BY_OPERATOR"}`,
		},
		"terminated": {
			order.Cause{Reason: order.Interrupted}, 409,
			`{"type":"/problems/order-failed","status":409,"orderId":"ID","reason":"INTERRUPTED"}`,
		},
		"a reason of a later version": {
			order.Cause{Reason: "NEW_REASON"}, 409,
			`{"type":"/problems/order-failed","status":409,"orderId":"ID","reason":"NEW_REASON"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.cause.Message = "in words for 100% of customers"
			api := newTestAPI(t, refuses(test.cause))
			first := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
			checkRefusal(t, first, test.status, withID(test.want, keyed), test.cause.Message)
			first.wantHeader(t, "Idempotency-Replayed", "")

			if _, err := api.store.Finish(t.Context(), keyed, nil); err != nil {
				t.Fatal(err)
			}
			again := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
			checkRefusal(t, again, test.status, withID(test.want, keyed), test.cause.Message)
			again.wantHeader(t, "Idempotency-Replayed", "true")
		})
	}
}

func checkRefusal(t *testing.T, got response, status int, want, detail string) {
	t.Helper()
	got.wantHeader(t, "Content-Type", "application/problem+json")
	if got.body["detail"] != detail || got.body["title"] == "" || got.body["instance"] != "test-1" {
		t.Errorf("got detail %q, title %q, instance %q", got.body["detail"], got.body["title"], got.body["instance"])
	}
	for _, member := range []string{"detail", "title", "instance"} {
		delete(got.body, member)
	}
	got.raw = marshal(t, got.body)
	got.want(t, status, want)
}

func TestEveryReasonHasAProblemAndEveryProblemAdvice(t *testing.T) {
	t.Parallel()
	for reason, kind := range refusals {
		if kind.Status < 400 || kind.Status >= 500 || kind.Advice == "" || kind.Title == "" {
			t.Errorf("%s becomes %+v: want a complete type with a 4xx status", reason, kind)
		}
	}
}

func TestUndecidedOrderIs202WithWhatIsKnown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script script
		want   string
	}{
		"priced already": {hesitates, pricedOrder},
		"no worker":      {sleeps, `{"id":"ID","userId":42,"status":"PENDING","items":[{"productId":"mug","quantity":2}],"createdAt":"2026-11-01T12:00:00Z","updatedAt":"2026-11-01T12:00:00Z"}`},
	} {
		for _, key := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				api := newTestAPI(t, test.script)
				var headers []string
				if key {
					headers = []string{"Idempotency-Key: k-1"}
				}
				got := api.send(t, "POST", "/orders", twoMugs, headers...)
				id := order.ID(got.body["id"].(string))
				got.want(t, 202, withID(test.want, id))
				got.wantHeader(t, "Location", "/orders/"+string(id))
				got.wantHeader(t, "Retry-After", "1")
				got.wantHeader(t, "Idempotency-Replayed", "")
			})
		}
	}
}

func TestClientChoosesHowLongToWait(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prefer  []string
		wait    time.Duration
		applied string
	}{
		"nothing said":         {nil, 10 * time.Second, ""},
		"three seconds":        {[]string{"wait=3"}, 3 * time.Second, "wait=3"},
		"too long":             {[]string{"wait=3600"}, 60 * time.Second, "wait=60"},
		"not at all":           {[]string{"respond-async"}, 0, "respond-async"},
		"no seconds":           {[]string{"wait=0"}, 0, "wait=0"},
		"a while, then async":  {[]string{"respond-async, wait=5"}, 5 * time.Second, "wait=5"},
		"in two headers":       {[]string{"respond-async", "wait=5"}, 5 * time.Second, "wait=5"},
		"quoted, another case": {[]string{`Wait="7"; foo`}, 7 * time.Second, "wait=7"},
		"twice":                {[]string{"wait=1, wait=2"}, time.Second, "wait=1"},
		"not understood":       {[]string{"wait=soon, handling=lenient"}, 10 * time.Second, ""},
		"negative":             {[]string{"wait=-1"}, 10 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api, began := newPatientAPI(t, sleeps), time.Now()
				var headers []string
				for _, p := range test.prefer {
					headers = append(headers, "Prefer: "+p)
				}
				got := api.send(t, "POST", "/orders", twoMugs, headers...)
				if took := time.Since(began); got.status != 202 || took != test.wait {
					t.Errorf("got %d %s after %s, want 202 after %s", got.status, got.raw, took, test.wait)
				}
				got.wantHeader(t, "Preference-Applied", test.applied)
			})
		})
	}
}

// A saga decides while the client waits, or the database is away: the client gets what is known, in time.
func TestClientWaitsForTheRow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(*testAPI, order.Request) // a second after the start
		status    int
		within    time.Duration
	}{
		"confirmed": {func(a *testAPI, req order.Request) { _ = confirms(a.store.Memory, req) }, 201, 1200 * time.Millisecond},
		"declined": {func(a *testAPI, req order.Request) {
			_ = refuses(order.Cause{Reason: order.PaymentDeclined})(a.store.Memory, req)
		}, 400, 1200 * time.Millisecond},
		"confirmed, and the database was away for a while": {func(a *testAPI, req order.Request) {
			a.store.breakIt(errors.New("connection refused"))
			time.Sleep(4 * time.Second)
			_ = confirms(a.store.Memory, req)
			a.store.breakIt(nil)
		}, 201, 5300 * time.Millisecond},
		"the database stays away": {func(a *testAPI, _ order.Request) { a.store.breakIt(errors.New("connection refused")) }, 202, 10 * time.Second},
		"the database hangs":      {func(a *testAPI, _ order.Request) { a.store.hang() }, 202, 10*time.Second + storeTimeout},
		"the program stops":       {func(a *testAPI, _ order.Request) { a.stop() }, 202, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var api *testAPI
				var wg sync.WaitGroup
				api = newPatientAPI(t, func(_ *memory, req order.Request) error {
					wg.Go(func() {
						time.Sleep(time.Second) // of the bubble's clock
						test.meanwhile(api, req)
					})
					return nil
				})
				began := time.Now()
				got := api.send(t, "POST", "/orders", twoMugs)
				if took := time.Since(began); got.status != test.status || took < time.Second || took > test.within {
					t.Errorf("got %d %s after %s, want %d within %s", got.status, got.raw, took, test.status, test.within)
				}
				wg.Wait()
			})
		})
	}
}

func TestSameKeyAndBodyIsTheSameOrderAndResponse(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	first := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	sameMeaning := `{ "paymentMethod": "pm_card_visa", "items": [ {"quantity": 2, "productId": "mug"} ], "userId": 42 }`
	for _, body := range []string{twoMugs, sameMeaning} {
		again := api.send(t, "POST", "/orders", body, "Idempotency-Key: k-1")
		again.want(t, 201, first.raw)
		again.wantHeader(t, "Idempotency-Replayed", "true")
		again.wantHeader(t, "Location", first.header.Get("Location"))
	}
}

func TestReplayWorksWhenTemporalHasForgottenTheOrder(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	first := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	api.engine.script, api.engine.started = fails(errors.New("started again")), map[order.ID]temporalclient.Started{}
	api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1").want(t, 201, first.raw)
}

func TestReplayOfAnOrderWithoutARowJoinsItsSaga(t *testing.T) {
	t.Parallel()
	for _, prefer := range []string{"wait=1", "respond-async"} {
		t.Run(prefer, func(t *testing.T) {
			t.Parallel()
			api := newTestAPI(t, sleeps)
			first := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: "+prefer)
			first.wantHeader(t, "Idempotency-Replayed", "")
			again := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: "+prefer)
			again.wantHeader(t, "Idempotency-Replayed", "true")
			if first.status != 202 || again.status != 202 || first.body["id"] != again.body["id"] {
				t.Errorf("got %d %v, then %d %v: want 202 and the same order", first.status, first.body["id"], again.status, again.body["id"])
			}
		})
	}
}

func TestKeyOfAnotherUserIsAnotherOrder(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	mine := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	theirs := api.send(t, "POST", "/orders", strings.Replace(twoMugs, "42", "43", 1), "Idempotency-Key: k-1")
	if theirs.status != 201 || mine.body["id"] == theirs.body["id"] {
		t.Errorf("got %d %v, want an order of its own", theirs.status, theirs.body["id"])
	}
}

// Another body under the same key is rejected, whether the first order has an outcome, a row or only a started saga.
func TestSameKeyWithAnotherBodyIsRefused(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]script{
		"confirmed": confirms, "refused": refuses(order.Cause{Reason: order.OutOfStock}), "pending": hesitates, "undecided, no row": sleeps,
	} {
		for other, body := range map[string]string{
			"quantity": strings.Replace(twoMugs, `"quantity":2`, `"quantity":3`, 1),
			"method":   strings.Replace(twoMugs, "visa", "mastercard", 1),
			"default":  `{"userId":42,"items":[{"productId":"mug","quantity":2}]}`,
		} {
			for _, prefer := range []string{"wait=1", "respond-async"} {
				t.Run(name+", other "+other+", "+prefer, func(t *testing.T) {
					t.Parallel()
					api := newTestAPI(t, first)
					api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
					api.send(t, "POST", "/orders", body, "Idempotency-Key: k-1", "Prefer: "+prefer).want(t, 422, withID(
						`{"type":"/problems/idempotency-key-reused","title":"Idempotency key reused","status":422,"instance":"test-1","orderId":"ID",
						"detail":"the key belongs to order `+string(keyed)+`, which was placed with another body"}`, keyed))
				})
			}
		}
	}
}

func TestTwoRequestsUnderOneKeyAtOnceAreOneOrder(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	responses := make([]response, 20)
	var wg sync.WaitGroup
	for i := range responses {
		wg.Go(func() { responses[i] = api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1") })
	}
	wg.Wait()
	fresh := 0
	for _, got := range responses {
		got.want(t, 201, withID(confirmedOrder, keyed))
		if got.header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d responses are not marked as replayed, want 1", fresh)
	}
}

func TestOutageDiffersFromALostResponse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing was sent": {temporalclient.ErrUnavailable, `{"type":"/problems/unavailable","title":"Temporarily unavailable","status":503,"instance":"test-1","orderId":"ID","detail":"orders are unavailable at the moment; the request had no effect"}`},
		"response lost":    {temporalclient.ErrUnknown, `{"type":"/problems/outcome-unknown","title":"Outcome unknown","status":503,"instance":"test-1","orderId":"ID","detail":"it is not known whether the request was accepted"}`},
	} {
		for _, prefer := range []string{"wait=1", "respond-async"} {
			t.Run(name+", "+prefer, func(t *testing.T) {
				t.Parallel()
				api := newTestAPI(t, fails(test.err))
				got := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1", "Prefer: "+prefer)
				got.want(t, 503, withID(test.want, keyed))
				got.wantHeader(t, "Retry-After", "5")
			})
		}
	}
}

// Without the row it is not known whether the key was used long ago.
func TestKeyedOrderIsNotPlacedWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	api.store.breakIt(errors.New("password=hunter2"))
	got := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	if got.status != 503 || got.body["type"] != "/problems/unavailable" || strings.Contains(got.raw, "hunter2") || len(api.engine.started) != 0 {
		t.Errorf("got %d %s and %d sagas, want 503 unavailable and none", got.status, got.raw, len(api.engine.started))
	}
}

func TestOrderWithoutAKeyIsAcceptedWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, sleeps)
	api.store.breakIt(errors.New("down"))
	if got := api.send(t, "POST", "/orders", twoMugs); got.status != 202 {
		t.Errorf("got %d %s, want 202", got.status, got.raw)
	}
}

func TestReplayThatCannotBeComparedIsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, sleeps)
	api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	api.engine.describes = errors.New("temporal is down")
	got := api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
	if got.status != http.StatusServiceUnavailable || got.body["type"] != "/problems/outcome-unknown" {
		t.Errorf("got %d %s, want 503 outcome-unknown", got.status, got.raw)
	}
}

func TestOrderIDsAndHashesStayTheSameForEver(t *testing.T) {
	t.Parallel()
	id := orderID(42, "k-1")
	if parsed, err := order.ParseID(string(id)); err != nil || parsed != id || id[14] != '8' {
		t.Errorf("%s is not a UUIDv8: %v", id, err)
	}
	hash := requestHash(requestDomain, orderclient.NewOrder{UserID: 42, Items: []orderclient.Item{{ProductID: "mug", Quantity: 2}}, PaymentMethod: "pm_card_visa"})
	if want := order.ID("ca086e36-0a97-814f-88af-effabc0891c3"); id != want {
		t.Errorf("got order ID %s, want %s: keys that clients have used would mean other orders", id, want)
	}
	if want := "46a32782a490c02a3924fedc0ed10d419208920d35e946fbbe88f914c320b7be"; hash != want {
		t.Errorf("got hash %s, want %s: repetitions would be refused as other bodies", hash, want)
	}
}
