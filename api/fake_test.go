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
	"github.com/ordersaga/ordersaga/workflows"
)

// script is what happens to an order when its saga is started: it changes the store as the saga would, and returns what
// the saga answers.
type script func(s *ordertest.Memory, req order.Request) (order.Order, error)

func confirms(s *ordertest.Memory, req order.Request) (order.Order, error) {
	ctx := context.Background()
	if _, err := s.Create(ctx, priced(req)); err != nil {
		return order.Order{}, err
	}
	return s.Confirm(ctx, req.ID, "pi_1", []order.Entry{{Type: order.EntryStepDone, Step: "ChargePayment", Detail: "for operators"}})
}

// refuses ends behind the fence; unwinding is left to the test.
func refuses(cause order.Cause) script {
	return func(s *ordertest.Memory, req order.Request) (order.Order, error) {
		if _, err := s.Create(context.Background(), priced(req)); err != nil {
			return order.Order{}, err
		}
		return s.Close(context.Background(), req, cause, nil)
	}
}

// hesitates has a row when the client has waited long enough, and no end.
func hesitates(s *ordertest.Memory, req order.Request) (order.Order, error) {
	_, err := s.Create(context.Background(), priced(req))
	if err == nil {
		err = errUndecided
	}
	return order.Order{}, err
}

// sleeps has not even a row: there is no worker.
func sleeps(*ordertest.Memory, order.Request) (order.Order, error) {
	return order.Order{}, errUndecided
}

func fails(err error) script {
	return func(*ordertest.Memory, order.Request) (order.Order, error) { return order.Order{}, err }
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

// fakeSagas runs each order's saga once, by script, and remembers what it was started with.
type fakeSagas struct {
	store  *ordertest.Memory
	script script
	cancel func(s *ordertest.Memory, id order.ID) error // what a cancellation does

	mu        sync.Mutex
	started   map[order.ID]started
	answers   map[order.ID]order.Order
	describes error // when set, nobody can be asked
	waits     []time.Duration
	cancels   []workflows.CancelRequest
}

func (f *fakeSagas) Start(_ context.Context, req order.Request) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh, _, err := f.run(req)
	if err == errUndecided {
		err = nil
	}
	return fresh, err
}

func (f *fakeSagas) StartAndWait(_ context.Context, req order.Request, wait time.Duration) (order.Order, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waits = append(f.waits, wait)
	fresh, o, err := f.run(req)
	return o, fresh, err
}

func (f *fakeSagas) run(req order.Request) (bool, order.Order, error) {
	if _, ok := f.started[req.ID]; ok {
		if o, ok := f.answers[req.ID]; ok {
			return false, o, nil
		}
		return false, order.Order{}, errUndecided
	}
	o, err := f.script(f.store, req)
	if err == nil {
		f.answers[req.ID] = o
	}
	if err == nil || err == errUndecided {
		req.PaymentMethod = ""
		f.started[req.ID] = started{Request: req, at: startedAt, closed: err == nil}
	}
	return true, o, err
}

func (f *fakeSagas) Describe(_ context.Context, id order.ID) (started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.describes != nil {
		return started{}, f.describes
	}
	s, ok := f.started[id]
	if !ok {
		return started{}, order.ErrNotFound
	}
	return s, nil
}

func (f *fakeSagas) Cancel(_ context.Context, id order.ID, req workflows.CancelRequest, _ time.Duration) (order.Order, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancels = append(f.cancels, req)
	if err := f.cancel(f.store, id); err != nil {
		return order.Order{}, err
	}
	return f.store.Order(context.Background(), id)
}

// The clocks of the tests.
var (
	now       = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	startedAt = now.Add(-time.Minute)
)

// brokenStore fails while broken is set.
type brokenStore struct {
	*ordertest.Memory
	mu     sync.Mutex
	broken error
}

func (b *brokenStore) failing() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

func (b *brokenStore) breakIt(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = err
}

func (b *brokenStore) Order(ctx context.Context, id order.ID) (order.Order, error) {
	if err := b.failing(); err != nil {
		return order.Order{}, err
	}
	return b.Memory.Order(ctx, id)
}

func (b *brokenStore) Orders(ctx context.Context, q order.Query) ([]order.Order, string, error) {
	if err := b.failing(); err != nil {
		return nil, "", err
	}
	return b.Memory.Orders(ctx, q)
}

func (b *brokenStore) Changes(ctx context.Context, since map[order.ID]int64) ([]order.Change, error) {
	if err := b.failing(); err != nil {
		return nil, err
	}
	return b.Memory.Changes(ctx, since)
}

// testAPI is the whole API over a store in memory and scripted sagas.
type testAPI struct {
	*httpapi.API
	store *brokenStore
	sagas *fakeSagas
	stop  context.CancelFunc // asks the program to stop
}

func newTestAPI(t testing.TB, s script) *testAPI {
	t.Helper()
	return newTestAPIWith(t, s, byNobody)
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

// newLimitedAPI asks for tokens.
func newLimitedAPI(t testing.TB, perUser *httpapi.Limiter) *testAPI {
	t.Helper()
	return buildAPI(t, confirms, byToken, testEvents, testTimes, perUser)
}

func buildAPI(
	t testing.TB, s script, tokens auth.Config, streams eventsConfig, times watchTimes, perUser *httpapi.Limiter,
) *testAPI {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	memory := ordertest.NewMemory(func() time.Time { return now })
	who, err := auth.New(t.Context(), tokens, "orders", log)
	if err != nil {
		t.Fatal(err)
	}
	store := &brokenStore{Memory: memory}
	sagas := &fakeSagas{
		store: memory, script: s, started: map[order.ID]started{}, answers: map[order.ID]order.Order{},
		cancel: func(*ordertest.Memory, order.ID) error { return errClosed },
	}
	running, stop := context.WithCancel(t.Context())
	events := newEvents(running, streams, times, store, log)
	t.Cleanup(events.start())
	api := newAPI(dependencies{
		store: store, sagas: sagas, who: who, log: log, checks: map[string]httpserver.Check{}, events: events,
		edge: httpapi.Edge{AddressRate: 1e6, AddressBurst: 1e6}, perUser: perUser,
		defaultPaymentMethod: "pm_card_visa", now: func() time.Time { return now },
		sagaURL: func(id order.ID) string { return "http://ui/workflows/" + id.WorkflowID() },
	})
	return &testAPI{api, store, sagas, stop}
}

// answer is an HTTP answer, read.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// send makes a request; headers are "Name: value".
func (a *testAPI) send(t testing.TB, method, path, body string, headers ...string) answer {
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
	got := answer{status: w.Code, header: w.Result().Header, raw: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &got.body); err != nil {
			t.Fatalf("%s %s: the answer %q is not JSON: %v", method, path, got.raw, err)
		}
	}
	document.Check(t, req, body, w)
	return got
}

// want compares the status and the whole body, which is JSON.
func (a answer) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("got status %d, want %d", a.status, status)
	}
	if diff := cmp.Diff(indent(t, body), indent(t, a.raw)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func (a answer) wantHeader(t testing.TB, name, value string) {
	t.Helper()
	if got := a.header.Get(name); got != value {
		t.Errorf("header %s: got %q, want %q", name, got, value)
	}
}

// indent makes JSON comparable: members sorted, one a line.
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
