package orderclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/httpapi/httpapitest"
)

const (
	id      = "0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"
	pending = `{"id":"` + id + `","userId":42,"status":"PENDING","items":[{"productId":"mug","quantity":2}],` +
		`"createdAt":"2026-11-01T00:00:00Z","updatedAt":"2026-11-01T00:00:00Z"}`
	refusal = `{"type":"/problems/out-of-stock","title":"Out of stock","status":400,"detail":"too little","orderId":"` + id +
		`","reason":"OUT_OF_STOCK","shortages":[{"productId":"mug","requested":2,"available":1}]}`
	down    = `{"type":"/problems/unavailable","title":"Temporarily unavailable","status":503}`
	unknown = `{"type":"/problems/outcome-unknown","title":"Outcome unknown","status":503,"orderId":"` + id + `"}`
	slower  = `{"type":"/problems/too-many-requests","title":"Too many requests","status":429}`
	entry   = `{"type":"STEP_DONE","at":"2026-11-01T00:00:00Z","step":"ReserveStock"}`
)

var (
	confirmed = strings.Replace(pending, "PENDING", "CONFIRMED", 1)
	newOrder  = orderclient.NewOrder{
		UserID: 42, Items: []orderclient.Item{{ProductID: "mug", Quantity: 2}}, PaymentMethod: "pm_card_visa",
	}
)

// reply is one response of the API.
type reply struct {
	status int
	body   string
	header map[string]string
	breaks bool // the connection breaks instead
}

// server responds with one reply after the other, and checks requests and replies against the API's document.
type server struct {
	t *testing.T

	mu       sync.Mutex
	replies  []reply
	requests []*http.Request
}

// description is the API's.
var description = httpapitest.MustRead("../openapi.yaml")

func serve(t *testing.T, replies ...reply) (*server, *orderclient.Client) {
	t.Helper()
	s := &server{t: t, replies: replies}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		if len(s.replies) > 0 {
			t.Errorf("%d replies were not requested", len(s.replies))
		}
	})
	token := func(context.Context) (string, error) { return "token-1", nil }
	c, err := orderclient.New(web.URL, orderclient.WithToken(token), orderclient.WithTries(3, time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	s.checkRequest(r)
	if len(s.replies) == 0 {
		s.t.Errorf("one request too many: %s %s", r.Method, r.URL)
		panic(http.ErrAbortHandler)
	}
	next := s.replies[0]
	s.replies = s.replies[1:]
	if next.breaks {
		_, _ = io.WriteString(w, next.body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if next.status >= 400 {
		header.Set("Content-Type", "application/problem+json")
	}
	for name, value := range next.header {
		header.Set(name, value)
	}
	// A stream may have events of a later version, which the document does not describe.
	err := description.CheckResponse(r, next.status, header, []byte(next.body))
	if err != nil && header.Get("Content-Type") != "text/event-stream" {
		s.t.Errorf("the reply %d %s of this test is not as described: %v", next.status, next.body, err)
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

func (s *server) checkRequest(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if err := description.CheckRequest(r, body); err != nil {
		s.t.Errorf("request %s %s is not as described: %v", r.Method, r.URL, err)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer token-1" {
		s.t.Errorf("Authorization: %q", got)
	}
}

func TestLostResponsesDoNotPlaceASecondOrder(t *testing.T) {
	t.Parallel()
	s, c := serve(t,
		reply{breaks: true},
		reply{status: 503, body: unknown, header: map[string]string{"Retry-After": "1"}},
		reply{status: 201, body: confirmed, header: map[string]string{
			"ETag": `"2"`, "Idempotency-Replayed": "true", "Link": `<http://ui/x>; rel="monitor"`,
		}},
	)
	o, err := c.Place(t.Context(), newOrder)
	if err != nil {
		t.Fatal(err)
	}
	if o.ID != id || o.Status != orderclient.Confirmed || o.ETag != `"2"` || !o.Replayed || o.SagaURL != "http://ui/x" {
		t.Errorf("got %+v", o)
	}
	keys := map[string]bool{}
	for _, r := range s.requests {
		keys[r.Header.Get("Idempotency-Key")] = true
	}
	if len(keys) != 1 || keys[""] {
		t.Errorf("keys %v, want one for all %d requests", keys, len(s.requests))
	}
}

func TestTwoOrdersHaveTwoKeysAndTheCallersOwnIsKept(t *testing.T) {
	t.Parallel()
	s, c := serve(t, reply{status: 202, body: pending}, reply{status: 202, body: pending}, reply{status: 202, body: pending})
	for _, options := range [][]orderclient.PlaceOption{
		{orderclient.Wait(0)}, {orderclient.Wait(2 * time.Second)}, {orderclient.WithKey("mine")},
	} {
		if o, err := c.Place(t.Context(), newOrder, options...); err != nil || o.Status != orderclient.Pending {
			t.Errorf("got %+v, %v; want it pending", o, err)
		}
	}
	first, second, third := s.requests[0].Header, s.requests[1].Header, s.requests[2].Header
	if first.Get("Idempotency-Key") == second.Get("Idempotency-Key") || third.Get("Idempotency-Key") != "mine" {
		t.Error("the keys are not one for each order")
	}
	if first.Get("Prefer") != "respond-async" || second.Get("Prefer") != "wait=2" || third.Get("Prefer") != "" {
		t.Errorf("Prefer: %q, %q, %q", first.Get("Prefer"), second.Get("Prefer"), third.Get("Prefer"))
	}
}

func TestRefusalIsAProblemAndNotRepeated(t *testing.T) {
	t.Parallel()
	_, c := serve(t, reply{status: 400, body: refusal})
	_, err := c.Place(t.Context(), newOrder)
	var p *orderclient.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	want := &orderclient.Problem{
		Type: orderclient.OutOfStock, Title: "Out of stock", Status: 400, Detail: "too little", OrderID: id, Reason: "OUT_OF_STOCK",
		Shortages: []orderclient.Shortage{{ProductID: "mug", Requested: 2, Available: 1}},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestWhatStaysDownIsReportedAfterAllTries(t *testing.T) {
	t.Parallel()
	_, c := serve(t, reply{status: 503, body: down}, reply{status: 503, body: down}, reply{status: 503, body: down})
	_, err := c.Get(t.Context(), id)
	var p *orderclient.Problem
	if !errors.As(err, &p) || p.Type != orderclient.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestTheServerSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, c := serve(t, reply{status: 503, body: down, header: map[string]string{"Retry-After": "3600"}})
	orderclient.WithHTTPClient(&http.Client{Transport: whenRead(cancel)})(c)
	_, err := c.Get(ctx, id)
	var p *orderclient.Problem
	if !errors.Is(err, context.Canceled) || !errors.As(err, &p) || p.RetryAfter != time.Hour {
		t.Errorf("got %v, want that it was cancelled while it waited, and for what", err)
	}
}

// whenRead is called when the client has read a response.
type whenRead func()

func (f whenRead) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Body = &closing{res.Body, f}
	}
	return res, err
}

type closing struct {
	io.ReadCloser
	then func()
}

func (c *closing) Close() error {
	defer c.then()
	return c.ReadCloser.Close()
}

func TestUnchangedOrderIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s, c := serve(t, reply{status: 304})
	if o, err := c.GetIfChanged(t.Context(), id, `"2"`); o != nil || err != nil {
		t.Errorf("got %+v, %v; want nothing", o, err)
	}
	if got := s.requests[0].Header.Get("If-None-Match"); got != `"2"` {
		t.Errorf("If-None-Match: %q", got)
	}
}

func TestListGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	s, c := serve(t,
		reply{status: 200, body: `{"orders":[` + pending + `,` + confirmed + `],"next":"more"}`},
		reply{status: 200, body: `{"orders":[` + pending + `]}`},
	)
	filter := orderclient.Filter{
		UserID: 42, Status: orderclient.Pending, ProductID: "mug", PageSize: 2,
		CreatedFrom: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), CreatedTo: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
	}
	n := 0
	for _, err := range c.List(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d orders, want 3", n)
	}
	const want = "createdFrom=2026-11-01T00%3A00%3A00Z&createdTo=2026-12-01T00%3A00%3A00Z&limit=2" +
		"&productId=mug&status=PENDING&userId=42"
	if got := s.requests[0].URL.RawQuery; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
	if got := s.requests[1].URL.Query().Get("cursor"); got != "more" {
		t.Errorf("cursor %q, want that of the page before", got)
	}
}

func TestCancelAndTimeline(t *testing.T) {
	t.Parallel()
	_, c := serve(t,
		reply{status: 202, body: pending},
		reply{status: 200, body: `{"orderId":"` + id + `","entries":[` + entry + `]}`},
	)
	if o, err := c.Cancel(t.Context(), id, "ordered twice"); err != nil || o.Status != orderclient.Pending {
		t.Errorf("got %+v, %v", o, err)
	}
	want := []orderclient.Entry{{Type: "STEP_DONE", At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Step: "ReserveStock"}}
	got, err := c.Timeline(t.Context(), id)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, timeline (-want +got):\n%s", err, diff)
	}
}

func TestWatchGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	event := func(id int, name, data string) string {
		return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, name, data)
	}
	stream := map[string]string{"Content-Type": "text/event-stream"}
	s, c := serve(t,
		reply{breaks: true, body: "retry: 2000\n\n" + event(7, "entry", entry) + ": keep-alive\n\n" + "id: 8\nevent: rec"},
		reply{status: 429, body: slower},
		reply{status: 200, header: stream, body: event(8, "entry", entry) + event(8, "later", "{}") + event(8, "order", pending) +
			event(9, "end", confirmed)},
	)
	var entries, orders []string
	for e, err := range c.Watch(t.Context(), id) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Entry != nil:
			entries = append(entries, e.Entry.Step)
		default:
			orders = append(orders, string(e.Order.Status))
		}
	}
	if !slices.Equal(entries, []string{"ReserveStock", "ReserveStock"}) || !slices.Equal(orders, []string{"PENDING", "CONFIRMED"}) {
		t.Errorf("entries %v, orders %v", entries, orders)
	}
	var from []string
	for _, r := range s.requests {
		from = append(from, r.Header.Get("Last-Event-ID"))
	}
	if !slices.Equal(from, []string{"", "7", "7"}) {
		t.Errorf("went on after %q, want after the last whole event", from)
	}
}

func TestWatchOfNoOrderEnds(t *testing.T) {
	t.Parallel()
	_, c := serve(t, reply{status: 404, body: `{"type":"/problems/order-not-found","title":"Order not found","status":404}`})
	for _, err := range c.Watch(t.Context(), id) {
		var p *orderclient.Problem
		if !errors.As(err, &p) || p.Type != orderclient.OrderNotFound {
			t.Errorf("got %v, want order-not-found", err)
		}
	}
}

func Example() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, pending)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "id: 1\nevent: entry\ndata: %s\n\nid: 2\nevent: end\ndata: %s\n\n", entry, confirmed)
	}))
	defer api.Close()

	ctx := context.Background()
	orders, err := orderclient.New(api.URL)
	if err != nil {
		panic(err)
	}
	order, err := orders.Place(ctx, orderclient.NewOrder{
		UserID: 42, Items: []orderclient.Item{{ProductID: "mug", Quantity: 2}},
	}, orderclient.WithKey("basket-17"), orderclient.Wait(0))
	if err != nil {
		panic(err)
	}
	fmt.Println("placed:", order.Status)
	for event, err := range orders.Watch(ctx, order.ID) {
		switch {
		case err != nil:
			panic(err)
		case event.Entry != nil:
			fmt.Println(event.Entry.Type, event.Entry.Step)
		default:
			fmt.Println("now:", event.Order.Status)
		}
	}
	// Output:
	// placed: PENDING
	// STEP_DONE ReserveStock
	// now: CONFIRMED
}
