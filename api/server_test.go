package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/order/ordertest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// shop is the outside world of the real workflow in these tests: everything costs 9.99 USD and is in stock, and the card
// pm_card_chargeDeclined is declined.
type shop struct {
	charging chan struct{} // closed by the first charge
	once     sync.Once
	down     bool          // the payment gateway
	held     chan struct{} // when set, refunds and events wait until it is closed
	refunded atomic.Int64  // refunds of confirmed orders that were asked for
}

func (s *shop) PriceItems(_ context.Context, items []order.Item) ([]order.Line, error) {
	lines := make([]order.Line, len(items))
	for i, it := range items {
		lines[i] = order.Line{ProductID: it.ProductID, Name: it.ProductID, Quantity: it.Quantity, Price: money.Money{Amount: 999, Currency: "USD"}}
	}
	return lines, nil
}

func (s *shop) Reserve(context.Context, order.ID, []order.Item, time.Time) error { return nil }
func (s *shop) Commit(context.Context, order.ID) error                           { return nil }
func (s *shop) Release(context.Context, order.ID) error                          { return nil }
func (s *shop) Refund(ctx context.Context, _ order.Payment) error                { return s.hold(ctx) }
func (s *shop) Publish(ctx context.Context, _ order.Event) error                 { return s.hold(ctx) }
func (s *shop) Chargeable(money.Money) error                                     { return nil }

func (s *shop) RefundPart(_ context.Context, r order.Refund) (order.RefundOutcome, error) {
	s.refunded.Add(1)
	return order.RefundOutcome{Status: order.RefundSucceeded, GatewayID: "re_" + string(r.ID)}, nil
}

func (s *shop) FindRefund(context.Context, order.Refund) (order.RefundOutcome, bool, error) {
	return order.RefundOutcome{}, false, nil
}

func (s *shop) RefundsOf(context.Context, string) ([]order.GatewayRefund, error) { return nil, nil }
func (s *shop) DisputesOf(context.Context, string) ([]order.Dispute, error)      { return nil, nil }
func (s *shop) PublishRefund(context.Context, order.RefundEvent) error           { return nil }
func (s *shop) Return(context.Context, order.ID, order.RefundID, []order.ReturnLine) error {
	return nil
}

func (s *shop) hold(ctx context.Context) error {
	if s.held == nil {
		return nil
	}
	select {
	case <-s.held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shop) Charge(_ context.Context, p order.Payment) (string, error) {
	s.once.Do(func() { close(s.charging) })
	if s.down {
		return "", errors.New("the gateway is down")
	}
	if p.Method == "pm_card_chargeDeclined" {
		return "", &order.Refusal{Cause: order.Cause{Reason: order.PaymentDeclined, Message: "declined", DeclineCode: "generic_decline"}}
	}
	return "pi_" + string(p.OrderID), nil
}

// realAPI is the API on a real Temporal server with the real workflow.
type realAPI struct {
	*testAPI
	temporal  *temporalclient.Client
	taskQueue string
	orders    *ordertest.Memory
	shop      *shop
}

func newRealAPI(t *testing.T) *realAPI {
	t.Helper()
	return newRealAPIOn(t, ordertest.NewMemory(time.Now))
}

func newRealAPIOn(t *testing.T, orders *ordertest.Memory) *realAPI {
	t.Helper()
	address, taskQueue := servicestest.Temporal(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := temporalclient.Open(temporalclient.Config{Address: address}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := &realAPI{temporal: c, taskQueue: taskQueue, orders: orders, shop: &shop{charging: make(chan struct{})}}
	who := auth.New(withoutTokens, "orders", log)
	events := newEvents(t.Context(), testEvents, defaultWatchTimes, r.orders, log)
	outcomes := newOutcomes(askPause)
	t.Cleanup(background(t.Context(), events.watcher.run))
	t.Cleanup(background(t.Context(), func(ctx context.Context) { outcomes.run(ctx, r.orders.Decided, log) }))
	refunds, refunded := r.orders.Refunds(), newRefunded()
	t.Cleanup(background(t.Context(), func(ctx context.Context) { refunded.run(ctx, refunds.Answered, log) }))
	r.testAPI = &testAPI{API: newAPI(dependencies{
		store: r.orders, refunds: refunds, refunded: refunded, engine: temporalclient.NewWorkflows(c, taskQueue), outcomes: outcomes,
		running: t.Context(), longestWait: maxWait, who: who, log: log,
		checks:               map[string]httpserver.Check{"temporal": c.Check},
		defaultPaymentMethod: "pm_card_visa", now: time.Now, events: events,
	})}
	return r
}

// work starts a worker, which stops when the test ends.
func (r *realAPI) work(t *testing.T) {
	t.Helper()
	w := worker.New(r.temporal.SDK, r.taskQueue, worker.Options{})
	w.RegisterWorkflow(workflows.CreateOrder)
	w.RegisterWorkflow(workflows.RefundOrder)
	w.RegisterActivity(&activities.Activities{Catalog: r.shop, Payments: r.shop, Orders: r.orders, Events: r.shop})
	w.RegisterActivity(&activities.Refunding{Refunds: r.orders.Refunds(), Gateway: r.shop, Catalog: r.shop, Events: r.shop})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
}

// terminate ends the workflow of an order, as an operator might.
func (r *realAPI) terminate(t *testing.T, id order.ID) {
	t.Helper()
	if err := r.temporal.SDK.TerminateWorkflow(context.Background(), id.WorkflowID(), "", "test"); err != nil {
		t.Error(err)
	}
}

// eventually sends a GET until the order has a final status.
func (r *realAPI) eventually(t *testing.T, id order.ID) response {
	t.Helper()
	var got response
	servicestest.Eventually(t, 20*time.Second, "order "+string(id)+" is at its end", func() bool {
		if got = r.send(t, "GET", "/orders/"+string(id), ""); got.status != http.StatusOK {
			t.Fatalf("got %d %s", got.status, got.raw)
		}
		status, _ := got.body["status"].(string)
		return order.Status(status).Final()
	})
	return got
}

// newBody is an order under a key of its own, and its ID.
func newBody(method string) (body, key string, id order.ID) {
	key = uuid.NewString()
	return strings.Replace(twoMugs, "pm_card_visa", method, 1), "Idempotency-Key: " + key, orderID(42, key)
}

func TestRealOutcomesAreReturnedAndReplayed(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	r.work(t)
	for method, want := range map[string]struct {
		status  int
		summary string
	}{
		"pm_card_visa":           {201, "CONFIRMED "},
		"pm_card_chargeDeclined": {400, "/problems/payment-declined"},
	} {
		body, key, id := newBody(method)
		first := r.send(t, "POST", "/orders", body, key)
		if first.status != want.status || summarize(first) != want.summary {
			t.Errorf("%s: got %d %s, want %d %s", method, first.status, first.raw, want.status, want.summary)
		}
		first.wantHeader(t, "Idempotency-Replayed", "")
		r.eventually(t, id)
		again := r.send(t, "POST", "/orders", body, key)
		again.want(t, want.status, first.raw)
		again.wantHeader(t, "Idempotency-Replayed", "true")
		if got := r.send(t, "POST", "/orders", strings.Replace(body, `"quantity":2`, `"quantity":3`, 1), key); got.status != 422 {
			t.Errorf("%s: another body: got %d %s, want 422", method, got.status, got.raw)
		}
	}
}

func TestRealRequestsUnderOneKeyAtOnceAreOneOrder(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	r.work(t)
	body, key, id := newBody("pm_card_visa")
	responses := make([]response, 8)
	var wg sync.WaitGroup
	for i := range responses {
		wg.Go(func() { responses[i] = r.send(t, "POST", "/orders", body, key) })
	}
	wg.Wait()
	fresh := 0
	for _, got := range responses {
		if got.status != 201 || got.body["id"] != string(id) {
			t.Errorf("got %d %s, want 201 and order %s", got.status, got.raw, id)
		}
		if got.header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d responses are not marked as replayed, want 1", fresh)
	}
	r.eventually(t, id)
}

func TestRealOrderWithoutAWorkerIsAcceptedAndDoneLater(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	for _, prefer := range []string{"Prefer: wait=1", "Prefer: respond-async"} {
		body, key, id := newBody("pm_card_visa")
		for i, replayed := range []string{"", "true"} {
			got := r.send(t, "POST", "/orders", body, key, prefer)
			if got.status != 202 || got.body["status"] != "PENDING" || got.body["id"] != string(id) {
				t.Errorf("%s, request %d: got %d %s, want 202 and PENDING", prefer, i, got.status, got.raw)
			}
			got.wantHeader(t, "Idempotency-Replayed", replayed)
		}
		if got := r.send(t, "POST", "/orders", strings.Replace(body, "mug", "lamp", 1), key, prefer); got.status != 422 {
			t.Errorf("another body while undecided: got %d %s, want 422", got.status, got.raw)
		}
		if got := r.send(t, "GET", "/orders/"+string(id), ""); got.status != 200 || got.body["status"] != "PENDING" {
			t.Errorf("got %d %s, want the order", got.status, got.raw)
		}
	}
	body, key, id := newBody("pm_card_visa")
	r.send(t, "POST", "/orders", body, key, "Prefer: respond-async")
	r.work(t)
	if got := r.eventually(t, id); got.body["status"] != "CONFIRMED" {
		t.Errorf("got %s, want it confirmed when a worker came", got.raw)
	}
	if got := r.send(t, "POST", "/orders", body, key); got.status != 201 {
		t.Errorf("got %d %s, want 201: it was started without an update, and has run", got.status, got.raw)
	}
}

func TestRealCancellationUndoesAnOrderThatIsBeingCharged(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	r.shop.down = true
	r.work(t)
	body, key, id := newBody("pm_card_visa")
	r.send(t, "POST", "/orders", body, key, "Prefer: respond-async")
	<-r.shop.charging
	got := r.send(t, "POST", "/orders/"+string(id)+"/cancel", `{"reason":"ordered twice"}`)
	if got.status != 200 && got.status != 202 {
		t.Errorf("got %d %s, want it undone or being undone", got.status, got.raw)
	}
	if end := r.eventually(t, id); end.body["status"] != "CANCELLED" || end.body["reason"] != "CANCELLED_BY_USER" {
		t.Errorf("got %s, want CANCELLED_BY_USER", end.raw)
	}
	again := r.send(t, "POST", "/orders/"+string(id)+"/cancel", "")
	if again.status != 200 || again.body["status"] != "CANCELLED" {
		t.Errorf("again: got %d %s, want 200", again.status, again.raw)
	}
	if placed := r.send(t, "POST", "/orders", body, key); placed.status != 409 || placed.body["type"] != "/problems/order-cancelled" {
		t.Errorf("placed again: got %d %s, want 409 order-cancelled", placed.status, placed.raw)
	}
}

func TestRealCancellationOfAConfirmedOrderGivesEverythingBack(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	r.work(t)
	body, key, id := newBody("pm_card_visa")
	r.send(t, "POST", "/orders", body, key)
	for range 2 {
		got := r.send(t, "POST", "/orders/"+string(id)+"/cancel", "")
		if got.status != 200 || got.body["status"] != "CONFIRMED" || got.body["givenBack"] != "ALL" {
			t.Errorf("got %d %s, want all of it given back", got.status, got.raw)
		}
	}
	if n := r.shop.refunded.Load(); n != 1 {
		t.Errorf("the gateway was asked for %d refunds, want 1", n)
	}
}

func TestRealRefundWithoutAWorkerIsAcceptedAndKnown(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	id := sellMugs(t, r.orders)
	path, key := "/orders/"+string(id)+"/refunds", "Idempotency-Key: "+uuid.NewString()
	for i, replayed := range []string{"", "true"} {
		got := r.send(t, "POST", path, oneBack, key, "Prefer: wait=1")
		if got.status != 202 || got.body["status"] != "REQUESTED" {
			t.Errorf("request %d: got %d %s, want 202 REQUESTED", i, got.status, got.raw)
		}
		got.wantHeader(t, "Idempotency-Replayed", replayed)
		if shown := r.send(t, "GET", got.header.Get("Location"), ""); shown.status != 200 || shown.body["status"] != "REQUESTED" {
			t.Errorf("shown: got %d %s, want it REQUESTED", shown.status, shown.raw)
		}
	}
	if got := r.send(t, "POST", path, `{"kind":"CANCELLATION"}`, key, "Prefer: wait=1"); got.status != 422 {
		t.Errorf("another body: got %d %s, want 422", got.status, got.raw)
	}
	r.work(t)
	got := r.send(t, "POST", path, oneBack, key, "Prefer: wait=30")
	if got.status != 201 || got.body["status"] != "SUCCEEDED" {
		t.Errorf("got %d %s, want 201 once there is a worker", got.status, got.raw)
	}
}

// The workflow was terminated before it wrote a row. The order is PENDING until recovery ends it.
func TestRealTerminatedOrderIsStillKnown(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	body, key, id := newBody("pm_card_visa")
	r.send(t, "POST", "/orders", body, key, "Prefer: respond-async")
	r.terminate(t, id)
	for _, prefer := range []string{"Prefer: wait=2", "Prefer: respond-async"} {
		got := r.send(t, "POST", "/orders", body, key, prefer)
		if got.status != 202 || got.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: got %d %s, want 202, replayed", prefer, got.status, got.raw)
		}
	}
	if got := r.send(t, "GET", "/orders/"+string(id), ""); got.status != 200 || got.body["status"] != "PENDING" {
		t.Errorf("got %d %s, want PENDING", got.status, got.raw)
	}
	if got := r.send(t, "POST", "/orders/"+string(id)+"/cancel", ""); got.status != 202 {
		t.Errorf("cancel: got %d %s, want 202", got.status, got.raw)
	}
	unknown := r.send(t, "GET", "/orders/"+uuid.NewString(), "")
	if unknown.status != 404 {
		t.Errorf("unknown order: got %d %s, want 404", unknown.status, unknown.raw)
	}
}

func TestRealServerIsReady(t *testing.T) {
	t.Parallel()
	got := newRealAPI(t).send(t, "GET", "/readyz", "")
	var status map[string]string
	if err := json.Unmarshal([]byte(got.raw), &status); err != nil || got.status != 200 || status["temporal"] != "ok" {
		t.Errorf("got %d %s", got.status, got.raw)
	}
}

// history returns the types of an order's history once its workflow has completed.
func (r *realAPI) history(t *testing.T, id order.ID) (types []string) {
	t.Helper()
	if err := r.temporal.SDK.GetWorkflow(t.Context(), id.WorkflowID(), "").Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	all := r.temporal.SDK.GetWorkflowHistory(t.Context(), id.WorkflowID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		event, err := all.Next()
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, event.GetEventType().String())
	}
	return types
}

// Nothing forces an order off the fast path, whether it is confirmed or undone.
func TestRealOrderIsOneWorkflowTask(t *testing.T) {
	t.Parallel()
	r := newRealAPI(t)
	r.work(t)
	for method, test := range map[string]struct{ status, most int }{
		"pm_card_visa":           {201, 12}, // start, 3 of the task, 7 steps, end
		"pm_card_chargeDeclined": {400, 14}, // 4 steps, the fence, 2 undos, FinishOrder and PublishEvent
	} {
		body, key, id := newBody(method)
		if got := r.send(t, "POST", "/orders", body, key); got.status != test.status {
			t.Errorf("%s: got %d %s, want %d", method, got.status, got.raw, test.status)
		}
		count := map[string]int{}
		types := r.history(t, id)
		for _, name := range types {
			count[name]++
		}
		if len(types) > test.most || count["WorkflowTaskCompleted"] != 1 || count["ActivityTaskScheduled"] != 0 || count["TimerStarted"] != 0 {
			t.Errorf("%s: %d events, want at most %d, one workflow task and no activity: %q", method, len(types), test.most, types)
		}
	}
}

// The client waits for the deciding commit only. The event, the undos and the end of the workflow task come later.
func TestRealResponseLeavesBeforeTheUndosAndTheEvent(t *testing.T) {
	t.Parallel()
	for method, status := range map[string]int{"pm_card_visa": 201, "pm_card_chargeDeclined": 400} {
		r := newRealAPI(t)
		r.shop.held = make(chan struct{})
		r.work(t)
		body, key, id := newBody(method)
		if got := r.send(t, "POST", "/orders", body, key, "Prefer: wait=30"); got.status != status {
			t.Errorf("%s: got %d %s, want %d while nothing is undone or published", method, got.status, got.raw, status)
		}
		d, err := r.temporal.SDK.DescribeWorkflowExecution(t.Context(), id.WorkflowID(), "")
		if err != nil || d.GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
			t.Errorf("%s: the workflow is %s, %v: want it to run still", method, d.GetWorkflowExecutionInfo().GetStatus(), err)
		}
		close(r.shop.held)
		r.history(t, id) // waits until it has completed
	}
}
