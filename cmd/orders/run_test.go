package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"

	"github.com/ordersaga/ordersaga/catalog"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/porttest"
	"github.com/ordersaga/ordersaga/internal/program"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/stripesim"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func TestHelpListsEachVariableOnce(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if code := program.Execute(t.Context(), "orders", "", []string{"--help"}, nil, &help, io.Discard, run); code != program.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{
		"API_ADDR", "WORKER_ADDR", "DATABASE_URL", "TASK_QUEUE", "TEMPORAL_ADDRESS", "STRIPE_API_KEY", "AUTH_MODE",
	} {
		if got := strings.Count(help.String(), "\n  "+name+" "); got != 1 {
			t.Errorf("%s is listed %d times, want once", name, got)
		}
	}
}

func TestAWrongConfigurationOfEitherPartIsNamed(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	environ := []string{"AUTH_MODE=none", "WORKER_CONCURRENCY=0", "RATE_LIMIT_PER_USER=-1"}
	if code := program.Execute(t.Context(), "orders", "", nil, environ, io.Discard, &stderr, run); code != program.ExitUsage {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{"DATABASE_URL", "STRIPE_API_KEY", "WORKER_CONCURRENCY", "RATE_LIMIT_PER_USER"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("%s is not named:\n%s", name, &stderr)
		}
	}
}

// gate stands before the payment gateway. While it is shut, payments wait.
type gate struct {
	next http.Handler

	mu      sync.Mutex
	open    chan struct{} // closed while the gate is open
	waiting chan struct{} // gets one for each request that waits
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	g := &gate{next: proxy, open: make(chan struct{}), waiting: make(chan struct{}, 100)}
	close(g.open)
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (g *gate) letIn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	default:
		g.waiting <- struct{}{}
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
	}
	g.next.ServeHTTP(w, r)
}

// shop is the program orders on real services, with a catalog and a payment gateway of its own.
type shop struct {
	t        *testing.T
	environ  []string
	catalog  string
	api      string
	worker   string
	gate     *gate
	temporal *temporalclient.Client
}

const (
	lamp  = "lamp"
	lamps = 20
)

func newShop(t *testing.T) *shop {
	t.Helper()
	address, queue := servicestest.Temporal(t)
	mongo, database := servicestest.MongoDB(t)
	log := slog.New(slog.DiscardHandler)
	s := &shop{t: t, api: porttest.FreeAddress(t), worker: porttest.FreeAddress(t)}

	catalogAddr, stripeAddr, gateAddr := porttest.FreeAddress(t), porttest.FreeAddress(t), porttest.FreeAddress(t)
	s.catalog = "http://" + catalogAddr
	background(t, func(ctx context.Context) error {
		return catalog.Run(ctx, catalog.Config{
			Addr: catalogAddr, MongoDBURI: mongo, Database: database, SweepInterval: time.Second,
			Auth: auth.Config{Mode: "none"}, Audience: "catalog",
		}, log)
	})
	ledger := servicestest.Postgres(t)
	background(t, func(ctx context.Context) error {
		options := gateway.Options{APIKey: "sk_test_orders", KeyLife: time.Hour}
		return stripesim.Run(ctx, stripesim.Config{Addr: stripeAddr, DatabaseURL: ledger, Options: options}, log)
	})
	s.gate = newGate(t, "http://"+stripeAddr)
	background(t, func(ctx context.Context) error {
		server := &http.Server{Addr: gateAddr, Handler: s.gate, ReadHeaderTimeout: time.Minute}
		defer context.AfterFunc(ctx, func() { _ = server.Close() })()
		if err := server.ListenAndServe(); ctx.Err() == nil {
			return err
		}
		return nil
	})
	s.environ = []string{
		"API_ADDR=" + s.api, "WORKER_ADDR=" + s.worker, "DATABASE_URL=" + servicestest.Postgres(t), "AUTH_MODE=none",
		"CATALOG_URL=" + s.catalog, "STRIPE_API_URL=http://" + gateAddr, "STRIPE_API_KEY=sk_test_orders",
		"RABBITMQ_URL=" + servicestest.RabbitMQ(t), "TEMPORAL_ADDRESS=" + address, "TASK_QUEUE=" + queue, "RATE_LIMIT_PER_ADDRESS=0",
	}
	var err error
	if s.temporal, err = temporalclient.Open(temporalclient.Config{Address: address}, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.temporal.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.temporal.SDK.ScheduleClient().GetHandle(ctx, "recover-"+queue).Delete(ctx)
	})
	s.ready(s.catalog)
	s.ready("http://" + stripeAddr)
	if status, body := s.do("POST", s.catalog+"/products", fmt.Sprintf(
		`{"id":%q,"name":"Lamp","category":"test","stock":%d,"price":{"amount":1299,"currency":"USD"}}`, lamp, lamps)); status != 201 {
		t.Fatalf("add a product: %d %v", status, body)
	}
	return s
}

// background runs a program until the test ends.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("a program ended with: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("a program does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

// start runs the program orders until stop is called.
func (s *shop) start() (stop func()) {
	s.t.Helper()
	var stderr bytes.Buffer
	stop = background(s.t, func(ctx context.Context) error {
		if code := program.Execute(ctx, "orders", "", nil, s.environ, io.Discard, &stderr, run); code != program.ExitOK {
			return fmt.Errorf("exit code %d: %s", code, &stderr)
		}
		return nil
	})
	s.ready("http://" + s.api)
	s.ready("http://" + s.worker)
	return stop
}

func (s *shop) ready(base string) {
	s.t.Helper()
	servicestest.Eventually(s.t, time.Minute, base+" is ready", func() bool {
		res, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (s *shop) do(method, address, body string, headers ...string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		s.t.Fatalf("%s %s: %d: %v", method, address, res.StatusCode, err)
	}
	return res.StatusCode, got
}

// place orders lamps and returns the status, and the body.
func (s *shop) place(quantity int, card string, headers ...string) (int, map[string]any) {
	s.t.Helper()
	return s.do("POST", "http://"+s.api+"/orders", fmt.Sprintf(
		`{"userId":42,"items":[{"productId":%q,"quantity":%d}],"paymentMethod":%q}`, lamp, quantity, card), headers...)
}

// ends waits until the order is at its end, and returns its status.
func (s *shop) ends(id string) (status string) {
	s.t.Helper()
	servicestest.Eventually(s.t, time.Minute, "order "+id+" is at its end", func() bool {
		_, o := s.do("GET", "http://"+s.api+"/orders/"+id, "")
		status, _ = o["status"].(string)
		return order.Status(status).Final()
	})
	return status
}

// stockIs waits until as many lamps can be bought.
func (s *shop) stockIs(want int) {
	s.t.Helper()
	servicestest.Eventually(s.t, 20*time.Second, fmt.Sprintf("%d lamps are left", want), func() bool {
		_, p := s.do("GET", s.catalog+"/products/"+lamp, "")
		return p["stock"] == float64(want)
	})
}

func TestOneProcessConfirmsDeclinesAndCancels(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.start()

	status, confirmed := s.place(1, "pm_card_visa")
	if status != 201 || confirmed["status"] != "CONFIRMED" {
		t.Fatalf("got %d %v, want 201 CONFIRMED", status, confirmed)
	}
	id := order.ID(confirmed["id"].(string))
	first := s.temporal.SDK.GetWorkflowHistory(t.Context(), id.WorkflowID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if event, err := first.Next(); err != nil || !event.GetWorkflowExecutionStartedEventAttributes().GetEagerExecutionAccepted() {
		t.Errorf("the first workflow task did not come with the start: %v", err)
	}

	if status, got := s.place(1, "pm_card_chargeDeclined"); status != 400 || got["type"] != "/problems/payment-declined" {
		t.Errorf("got %d %v, want 400 payment-declined", status, got)
	}
	if status, got := s.place(lamps+1, "pm_card_visa"); status != 400 || got["type"] != "/problems/out-of-stock" {
		t.Errorf("got %d %v, want 400 out-of-stock", status, got)
	}

	s.gate.shut()
	status, pending := s.place(1, "pm_card_visa", "Prefer: respond-async")
	if status != 202 {
		t.Fatalf("got %d %v, want 202", status, pending)
	}
	<-s.gate.waiting
	cancelled := make(chan int, 1)
	go func() {
		status, _ := s.do("POST", "http://"+s.api+"/orders/"+pending["id"].(string)+"/cancel", "")
		cancelled <- status
	}()
	s.gate.letIn()
	// It may come before the charge or after the order is confirmed. Either way nothing is kept.
	if status := <-cancelled; status != 200 && status != 202 {
		t.Errorf("the cancellation got %d, want 200 or 202", status)
	}
	switch got := s.ends(pending["id"].(string)); got {
	case "CANCELLED":
	case "CONFIRMED":
		servicestest.Eventually(t, 20*time.Second, "the confirmed order is given back", func() bool {
			_, o := s.do("GET", "http://"+s.api+"/orders/"+pending["id"].(string), "")
			return o["givenBack"] == "ALL"
		})
	default:
		t.Errorf("the cancelled order is %s", got)
	}
	s.stockIs(lamps - 1)
}

// SIGTERM comes while orders wait for the payment gateway. Nothing is lost: they go on when the program is back.
func TestOneProcessThatStopsLosesNoOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	stop := s.start()
	s.gate.shut()
	const orders = 5
	var ids []string
	for range orders {
		status, o := s.place(1, "pm_card_visa", "Prefer: respond-async")
		if status != 202 {
			t.Fatalf("got %d %v, want 202", status, o)
		}
		ids = append(ids, o["id"].(string))
		<-s.gate.waiting
	}
	waited, key := make(chan int, 1), "Idempotency-Key: "+servicestest.Name("waits")
	go func() {
		status, _ := s.place(1, "pm_card_visa", key, "Prefer: wait=60")
		waited <- status
	}()
	<-s.gate.waiting
	stop()
	if status := <-waited; status != 202 {
		t.Errorf("the request that waited got %d, want 202 when the program stops", status)
	}

	s.gate.letIn()
	s.start()
	for _, id := range ids {
		if status := s.ends(id); status != "CONFIRMED" {
			t.Errorf("order %s is %s, want CONFIRMED", id, status)
		}
	}
	if status, got := s.place(1, "pm_card_visa", key, "Prefer: wait=60"); status != 201 {
		t.Errorf("the order that was waited for: got %d %v, want 201", status, got)
	}
	s.stockIs(lamps - orders - 1)
}
