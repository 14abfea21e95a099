package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// script runs when an order's saga is started. It changes the store as the saga would.
type script func(s *ordertest.Memory, req order.Request) error

func confirms(s *ordertest.Memory, req order.Request) error {
	ctx := context.Background()
	if _, err := s.Create(ctx, priced(req)); err != nil {
		return err
	}
	_, err := s.Confirm(ctx, req.ID, "pi_1", []order.Entry{{Type: order.EntryStepDone, Step: "ChargePayment", Detail: "for operators"}})
	return err
}

// refuses closes the order at the fence. The test unwinds it.
func refuses(cause order.Cause) script {
	return func(s *ordertest.Memory, req order.Request) error {
		if _, err := s.Create(context.Background(), priced(req)); err != nil {
			return err
		}
		_, err := s.Close(context.Background(), req, cause, nil)
		return err
	}
}

// hesitates writes a row but does not decide the order.
func hesitates(s *ordertest.Memory, req order.Request) error {
	_, err := s.Create(context.Background(), priced(req))
	return err
}

// sleeps writes no row, as if there were no worker.
func sleeps(*ordertest.Memory, order.Request) error { return nil }

func fails(err error) script {
	return func(*ordertest.Memory, order.Request) error { return err }
}

// priced is a request as the catalog prices it in these tests: everything costs 9.99 USD.
func priced(req order.Request) order.Order {
	o := order.Order{ID: req.ID, UserID: req.UserID, PaymentMethod: req.PaymentMethod, Hash: req.Hash}
	for _, it := range req.Items {
		o.Items = append(o.Items, order.Line{
			ProductID: it.ProductID, Name: strings.ToUpper(it.ProductID), Quantity: it.Quantity,
			Price: money.Money{Amount: 999, Currency: "USD"},
		})
		o.Total.Amount += 999 * int64(it.Quantity)
		o.Total.Currency = "USD"
	}
	return o
}

// fakeEngine runs a script once for each order, and remembers the input.
type fakeEngine struct {
	store  *ordertest.Memory
	script script
	cancel func(s *ordertest.Memory, id order.ID) error // what a cancellation does

	mu        sync.Mutex
	started   map[order.ID]temporalclient.Started
	describes error // when set, Describe returns it
	cancels   []workflows.CancelRequest

	refund  refundScript
	refunds map[order.RefundID]order.RefundRequest // that were started
}

func (f *fakeEngine) Start(ctx context.Context, req order.Request) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.started[req.ID]; ok {
		return false, nil
	}
	if err := f.script(f.store, req); err != nil {
		return false, err
	}
	row, err := f.store.Order(ctx, req.ID)
	req.PaymentMethod = ""
	f.started[req.ID] = temporalclient.Started{Request: req, Closed: err == nil && row.Decided()}
	return true, nil
}

func (f *fakeEngine) Describe(_ context.Context, id order.ID) (temporalclient.Started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.describes != nil {
		return temporalclient.Started{}, f.describes
	}
	s, ok := f.started[id]
	if !ok {
		return temporalclient.Started{}, order.ErrNotFound
	}
	return s, nil
}

func (f *fakeEngine) Cancel(_ context.Context, id order.ID, req workflows.CancelRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancels = append(f.cancels, req)
	return f.cancel(f.store, id)
}

// now is the clock of the tests.
var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// brokenStore fails while broken is set, and hangs until the caller's time is over once it hangs.
type brokenStore struct {
	*ordertest.Memory
	mu     sync.Mutex
	broken error
	hangs  bool
}

// storeTimeout bounds a call of a store that hangs, as the real one does.
const storeTimeout = 3 * time.Second

func (b *brokenStore) failing(ctx context.Context) error {
	b.mu.Lock()
	broken, hangs := b.broken, b.hangs
	b.mu.Unlock()
	if hangs {
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return broken
}

func (b *brokenStore) hang() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hangs = true
}

func (b *brokenStore) breakIt(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

func (b *brokenStore) Order(ctx context.Context, id order.ID) (order.Order, error) {
	if err := b.failing(ctx); err != nil {
		return order.Order{}, err
	}
	return b.Memory.Order(ctx, id)
}

func (b *brokenStore) Orders(ctx context.Context, q order.Query) ([]order.Order, string, error) {
	if err := b.failing(ctx); err != nil {
		return nil, "", err
	}
	return b.Memory.Orders(ctx, q)
}

func (b *brokenStore) Decided(ctx context.Context, ids []order.ID) ([]order.Order, error) {
	if err := b.failing(ctx); err != nil {
		return nil, err
	}
	return b.Memory.Decided(ctx, ids)
}

func (b *brokenStore) Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error) {
	if err := b.failing(ctx); err != nil {
		return nil, err
	}
	return b.Memory.Changes(ctx, since)
}

// testAPI is the whole API over a store in memory and scripted sagas.
type testAPI struct {
	*httpapi.API
	store  *brokenStore
	engine *fakeEngine
	stop   context.CancelFunc // asks the program to stop
}

func newTestAPI(t testing.TB, s script) *testAPI {
	t.Helper()
	return newTestAPIWith(t, s, withoutTokens)
}

func newTestAPIWith(t testing.TB, s script, tokens auth.Config) *testAPI {
	t.Helper()
	return newStreamingAPI(t, s, tokens, testEvents, testTimes)
}

// Streams of these tests are checked often and are otherwise silent.
var (
	testEvents = eventsConfig{MaxStreams: 100, MaxStreamsPerUser: 100, MaxDuration: time.Hour}
	testTimes  = watchTimes{poll: time.Millisecond, heartbeat: time.Hour, write: time.Minute, retry: 2 * time.Second}
)

func newStreamingAPI(t testing.TB, s script, tokens auth.Config, streams eventsConfig, times watchTimes) *testAPI {
	t.Helper()
	return buildAPI(t, s, tokens, streams, times, httpapi.NewLimiter("user", 1e6, 1e6))
}

// newLimitedAPI requires tokens.
func newLimitedAPI(t testing.TB, perUser *httpapi.Limiter) *testAPI {
	t.Helper()
	return buildAPI(t, confirms, withTokens, testEvents, testTimes, perUser)
}

// newPatientAPI lets requests wait as long as the program does. It is for tests in a bubble, where time costs nothing.
func newPatientAPI(t testing.TB, s script) *testAPI {
	t.Helper()
	return buildAPIThatWaits(t, s, withoutTokens, testEvents, testTimes, httpapi.NewLimiter("user", 1e6, 1e6), maxWait, wideEdge)
}

// wideEdge limits no address of a test.
var wideEdge = httpapi.Edge{AddressRate: 1e6, AddressBurst: 1e6}

// newCrowdedAPI lets one request of an address through, and requires tokens.
func newCrowdedAPI(t testing.TB) *testAPI {
	t.Helper()
	return buildAPIThatWaits(t, confirms, withTokens, testEvents, testTimes, httpapi.NewLimiter("user", 1e6, 1e6), shortWait,
		httpapi.Edge{AddressRate: 0.001, AddressBurst: 1})
}

// shortWait cuts the waits of most tests: what their scripts decide is decided when the start returns.
const shortWait = 20 * time.Millisecond

func buildAPI(
	t testing.TB, s script, tokens auth.Config, streams eventsConfig, times watchTimes, perUser *httpapi.Limiter,
) *testAPI {
	t.Helper()
	return buildAPIThatWaits(t, s, tokens, streams, times, perUser, shortWait, wideEdge)
}

func buildAPIThatWaits(
	t testing.TB, s script, tokens auth.Config, streams eventsConfig, times watchTimes, perUser *httpapi.Limiter,
	longestWait time.Duration, edge httpapi.Edge,
) *testAPI {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	memory := ordertest.NewMemory(func() time.Time { return now })
	who := auth.New(tokens, "orders", log)
	store := &brokenStore{Memory: memory}
	engine := &fakeEngine{
		store: memory, script: s, started: map[order.ID]temporalclient.Started{},
		refund: answers(order.RefundSucceeded), refunds: map[order.RefundID]order.RefundRequest{},
		cancel: func(*ordertest.Memory, order.ID) error { return temporalclient.ErrClosed },
	}
	running, stop := context.WithCancel(t.Context())
	events, outcomes := newEvents(running, streams, times, store, log), newOutcomes(askPause)
	t.Cleanup(background(running, events.watcher.run))
	t.Cleanup(background(running, func(ctx context.Context) { outcomes.run(ctx, store.Decided, log) }))
	refunds, refunded := brokenRefunds{store}, newRefunded()
	t.Cleanup(background(running, func(ctx context.Context) { refunded.run(ctx, refunds.Answered, log) }))
	api := newAPI(dependencies{
		store: store, refunds: refunds, engine: engine, outcomes: outcomes, refunded: refunded, running: running,
		longestWait: longestWait, cancelWindow: testCancelWindow,
		who: who, log: log, checks: map[string]httpserver.Check{}, events: events,
		edge: edge, perUser: perUser,
		defaultPaymentMethod: "pm_card_visa", now: func() time.Time { return now },
		sagaURL: func(id order.ID) string { return "http://ui/workflows/" + id.WorkflowID() },
	})
	return &testAPI{api, store, engine, stop}
}

// response is an HTTP response with its decoded body.
type response struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// send makes a request; headers are "Name: value".
func (a *testAPI) send(t testing.TB, method, path, body string, headers ...string) response {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Request-ID", "test-1")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			req.Header.Del(name)
		}
		req.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, req)
	got := response{status: w.Code, header: w.Result().Header, raw: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &got.body); err != nil {
			t.Fatalf("%s %s: the response %q is not JSON: %v", method, path, got.raw, err)
		}
	}
	document.Check(t, req, body, w)
	return got
}

// want compares the status and the whole body, which is JSON.
func (r response) want(t testing.TB, status int, body string) {
	t.Helper()
	if r.status != status {
		t.Errorf("got status %d, want %d", r.status, status)
	}
	if diff := cmp.Diff(indent(t, body), indent(t, r.raw)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func (r response) wantHeader(t testing.TB, name, value string) {
	t.Helper()
	if got := r.header.Get(name); got != value {
		t.Errorf("header %s: got %q, want %q", name, got, value)
	}
}

// indent makes JSON comparable: sorted members, one per line.
func indent(t testing.TB, s string) string {
	t.Helper()
	if s == "" {
		return ""
	}
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const twoMugs = `{"userId":42,"items":[{"productId":"mug","quantity":2}],"paymentMethod":"pm_card_visa"}`

// keyed is the ID of user 42's order under the key k-1.
var keyed = orderID(42, "k-1")

type memory = ordertest.Memory

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
