package api

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

// place places user 42's order under the key k-1.
func place(t *testing.T, api *testAPI) {
	t.Helper()
	api.send(t, "POST", "/orders", twoMugs, "Idempotency-Key: k-1")
}

func TestOrderIsShownWithItsVersion(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	place(t, api)
	got := api.send(t, "GET", "/orders/"+string(keyed), "")
	got.want(t, 200, withID(confirmedOrder, keyed))
	got.wantHeader(t, "ETag", `"2"`)
	got.wantHeader(t, "Cache-Control", "private, no-cache")
	got.wantHeader(t, "Retry-After", "")
}

func TestUnchangedOrderIsNotSentAgain(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	place(t, api)
	for header, status := range map[string]int{
		`"2"`: 304, `W/"2"`: 304, `"1", "2"`: 304, `*`: 304, `"1"`: 200, `2`: 200, ``: 200,
	} {
		got := api.send(t, "GET", "/orders/"+string(keyed), "", "If-None-Match: "+header)
		if got.status != status || (status == 304) != (got.raw == "") {
			t.Errorf("If-None-Match %s: got %d %q, want %d", header, got.status, got.raw, status)
		}
		got.wantHeader(t, "ETag", `"2"`)
	}
}

func TestOrderThatIsBeingUndoneShowsTheReason(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, refuses(order.Cause{Reason: order.PaymentDeclined, Message: "declined"}))
	place(t, api)
	for _, status := range []string{"PENDING", "FAILED"} {
		got := api.send(t, "GET", "/orders/"+string(keyed), "")
		if got.status != 200 || got.body["status"] != status || got.body["reason"] != "PAYMENT_DECLINED" ||
			got.body["message"] != "declined" {
			t.Errorf("got %d %s, want %s because PAYMENT_DECLINED", got.status, got.raw, status)
		}
		if _, err := api.store.Finish(t.Context(), keyed, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAcceptedOrderIsNeverNotFound(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, sleeps)
	place(t, api)
	got := api.send(t, "GET", "/orders/"+string(keyed), "")
	got.want(t, 200, withID(`{"id":"ID","userId":42,"status":"PENDING","items":[{"productId":"mug","quantity":2}],
		"createdAt":"2026-11-01T12:00:00Z","updatedAt":"2026-11-01T12:00:00Z"}`, keyed))
	got.wantHeader(t, "ETag", `"0"`)
	got.wantHeader(t, "Retry-After", "1")
	api.send(t, "GET", "/orders/"+string(keyed)+"/timeline", "").want(t, 200, withID(`{"orderId":"ID","entries":[]}`, keyed))
}

// lateStore has the row only on the second call.
type lateStore struct {
	*brokenStore
	asked int
}

func (s *lateStore) Order(ctx context.Context, id order.ID) (order.Order, error) {
	if s.asked++; s.asked == 1 {
		return order.Order{}, order.ErrNotFound
	}
	return s.brokenStore.Order(ctx, id)
}

func TestRowWrittenDuringTheLookupInTemporalIsReturned(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	place(t, api)
	late := &lateStore{brokenStore: api.store}
	a := &orders{dependencies{store: late, engine: api.engine}}
	o, err := a.find(t.Context(), keyed)
	if err != nil || o.Status != order.Confirmed {
		t.Errorf("got %+v, %v; want the row", o, err)
	}
}

func TestUnknownOrderIsNotFound(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	for _, r := range []struct{ method, path string }{{"GET", ""}, {"GET", "/timeline"}, {"POST", "/cancel"}} {
		api.send(t, r.method, "/orders/"+string(keyed)+r.path, "").want(t, 404, withID(
			`{"type":"/problems/order-not-found","title":"Order not found","status":404,"instance":"test-1","orderId":"ID",
			"detail":"there is no order `+string(keyed)+`"}`, keyed))
	}
}

func TestOrdersAreUnavailableAndNotMissingWhileAStoreIsDown(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*testAPI){
		"database down":           func(a *testAPI) { a.store.breakIt(errors.New("dial tcp: password=hunter2")) },
		"no row, temporal down":   func(a *testAPI) { a.engine.describes = errors.New("dial tcp: password=hunter2") },
		"no row, memo unreadable": func(a *testAPI) { a.engine.describes = errors.New("memo hunter2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newTestAPI(t, confirms)
			breakIt(api)
			for _, r := range []struct{ method, path string }{{"GET", ""}, {"GET", "/timeline"}, {"POST", "/cancel"}} {
				got := api.send(t, r.method, "/orders/"+string(keyed)+r.path, "")
				got.want(t, 503, withID(
					`{"type":"/problems/unavailable","title":"Temporarily unavailable","status":503,"instance":"test-1","orderId":"ID",
					"detail":"orders are unavailable at the moment; the request had no effect"}`, keyed))
				got.wantHeader(t, "Retry-After", "5")
			}
		})
	}
}

func TestListIsPagedAndFiltered(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	var want []string
	for i := range 5 {
		got := api.send(t, "POST", "/orders", twoMugs, fmt.Sprintf("Idempotency-Key: k-%d", i))
		want = append(want, got.body["id"].(string))
	}
	api.send(t, "POST", "/orders", strings.Replace(twoMugs, "42", "43", 1))
	seen := map[string]int{}
	path := "/orders?userId=42&status=CONFIRMED&limit=2"
	pages := 0
	for cursor := ""; ; pages++ {
		got := api.send(t, "GET", path+cursor, "")
		if got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
		for _, o := range got.body["orders"].([]any) {
			seen[o.(map[string]any)["id"].(string)]++
		}
		next, more := got.body["next"].(string)
		if !more {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
	wanted := map[string]int{}
	for _, id := range want {
		wanted[id] = 1
	}
	if diff := cmp.Diff(wanted, seen); diff != "" || pages != 2 {
		t.Errorf("%d pages before the last, orders (-want +got):\n%s", pages, diff)
	}
	api.send(t, "GET", "/orders?status=FAILED", "").want(t, 200, `{"orders":[]}`)
}

func TestListIsFilteredByProductAndTime(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	placed := api.send(t, "POST", "/orders", twoMugs)
	at := placed.body["createdAt"].(string)
	product := placed.body["items"].([]any)[0].(map[string]any)["productId"].(string)
	for query, want := range map[string]int{
		"productId=" + product: 1,
		"productId=unsold":     0,
		"createdFrom=" + at:    1,
		"createdTo=" + at:      0,
		"productId=" + product + "&userId=42&status=CONFIRMED&createdFrom=" + at + "&createdTo=2999-01-01T00:00:00Z": 1,
	} {
		got := api.send(t, "GET", "/orders?"+query, "")
		if got.status != 200 || len(got.body["orders"].([]any)) != want {
			t.Errorf("%s: %d %s", query, got.status, got.raw)
		}
	}
}

func TestListThatCannotBeReadIsAProblem(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	api.send(t, "GET", "/orders?cursor=nonsense", "").want(t, 422,
		`{"type":"/problems/invalid-request","title":"Invalid request","status":422,"instance":"test-1",
		"detail":"the request breaks a rule: see errors",
		"errors":[{"parameter":"cursor","detail":"is not a cursor of this list"}]}`)
	api.store.breakIt(errors.New("hunter2"))
	api.send(t, "GET", "/orders", "").want(t, 503,
		`{"type":"/problems/unavailable","title":"Temporarily unavailable","status":503,"instance":"test-1",
		"detail":"orders are unavailable at the moment; the request had no effect"}`)
}

func TestTimelineHasItsEntries(t *testing.T) {
	t.Parallel()
	api := newTestAPI(t, confirms)
	place(t, api)
	got := api.send(t, "GET", "/orders/"+string(keyed)+"/timeline", "")
	for _, e := range got.body["entries"].([]any) {
		delete(e.(map[string]any), "at")
	}
	got.raw = marshal(t, got.body)
	got.want(t, 200, withID(`{"orderId":"ID","entries":[{"type":"CREATED"},
		{"type":"STEP_DONE","step":"ChargePayment","detail":"for operators"},{"type":"CONFIRMED"}]}`, keyed))
}
