package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestADemoOfASystemThatKeepsItsPromises(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got, err := w.demo(t)
	if err != nil {
		t.Errorf("the demo ends with %v", err)
	}
	const golden = "testdata/demo.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what is printed (-want +got; go test -update writes it again):\n%s", diff)
	}
}

func TestADemoCanBeRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 10 {
		if _, err := w.demo(t); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.stock[mug] = 1 // others bought them
		w.mu.Unlock()
	}
}

func TestABrokenPromiseIsNamed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault string
		named string
	}{
		"money is kept for a declined order":   {"keeps money", "2. The card is declined: money"},
		"a confirmed order is charged twice":   {"charges twice", "1. An order that works: money"},
		"stock is not given back":              {"keeps stock", "2. The card is declined: stock"},
		"an order is said to have failed, 201": {"says 201", "3. Not enough in stock: response"},
		"an order ends as something else":      {"confirms all", "2. The card is declined: order"},
		"the wrong message goes out":           {"announces confirmed", "4. An unknown product: message"},
		"a repetition places another order":    {"forgets keys", "1. An order that works: again"},
		"no message goes out":                  {"announces nothing", "no message"},
		"a response without an order":          {"responds nonsense", "decode the response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fault, w.stack.patience = tc.fault, 10*time.Millisecond // waiting does not help
			out, err := w.demo(t)
			if err == nil || !strings.Contains(err.Error(), tc.named) {
				t.Errorf("ends with %v, which must name %q\n%s", err, tc.named, out)
			}
			if strings.Contains(out, "Every promise was kept") {
				t.Error("it says that every promise was kept")
			}
		})
	}
}

func TestASystemThatIsDownIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	dead := httptest.NewServer(nil)
	dead.Close()
	err := run(t.Context(), config{
		API: dead.URL, Catalog: dead.URL, Gateway: dead.URL, RabbitMQ: "amqp://u:hunter2@127.0.0.1:1/",
	}, &report{w: new(bytes.Buffer)})
	if err == nil || !strings.Contains(err.Error(), "no response from "+dead.URL) || !strings.Contains(err.Error(), "make up") {
		t.Errorf("got: %v", err)
	}
	_, err = listen(t.Context(), "amqp://u:hunter2@127.0.0.1:1/")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("RabbitMQ down: %v", err)
	}
}

func TestTheCatalogIsWorthLookingAt(t *testing.T) {
	t.Parallel()
	all, err := products()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 24 {
		t.Errorf("%d products, want some dozens", len(all))
	}
	stock := map[string]int64{}
	id := regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	for _, p := range all {
		if !id.MatchString(p.ID) || p.Name == "" || p.Description == "" || p.Category == "" || p.Stock <= 0 {
			t.Errorf("incomplete: %+v", p)
		}
		if err := money.Money(p.Price).Validate(); err != nil || p.Price.Amount == 0 || p.Price.Currency != "USD" {
			t.Errorf("%s costs %v: %v", p.ID, p.Price, err)
		}
		if _, twice := stock[p.ID]; twice {
			t.Errorf("%s is there twice", p.ID)
		}
		stock[p.ID] = p.Stock
	}
	for _, needed := range []string{mug, tea, limited} {
		if stock[needed] == 0 {
			t.Errorf("%s, which the demo orders, is missing", needed)
		}
	}
	if stock[nonexistent] != 0 {
		t.Errorf("%s exists", nonexistent)
	}
}

// world is a system in memory that shows the demo what it needs, and can break its promises.
type world struct {
	stack stack
	fault string

	mu     sync.Mutex
	stock  map[string]int64
	price  map[string]int64
	orders map[string]map[string]any
	ledger map[string]payments
	keys   map[string]string // order by key
	sent   map[string]message
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		stock: map[string]int64{}, price: map[string]int64{}, orders: map[string]map[string]any{},
		ledger: map[string]payments{}, keys: map[string]string{}, sent: map[string]message{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /products", w.addProduct)
	mux.HandleFunc("GET /products/{id}", w.showProduct)
	mux.HandleFunc("POST /products/{id}/restock", w.restock)
	mux.HandleFunc("POST /orders", w.place)
	mux.HandleFunc("GET /orders/{id}", w.show)
	mux.HandleFunc("GET /_sim/ledger", w.showLedger)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	orders, err := orderclient.New(server.URL, orderclient.WithTries(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	w.stack = stack{
		orders: orders, api: server.URL, catalog: server.URL, gateway: server.URL, events: w, temporalUI: "http://127.0.0.1:8233",
		patience: 10 * time.Second,
	}
	return w
}

// demo returns what is printed, with the parts replaced that differ from run to run.
func (w *world) demo(t *testing.T) (string, error) {
	t.Helper()
	var b bytes.Buffer
	out := &report{w: &b}
	err := seed(t.Context(), &w.stack, out)
	if err == nil {
		var id string
		if id, err = tell(t.Context(), &w.stack, out); err == nil {
			whatNext(out, config{
				API: "http://127.0.0.1:8080", Catalog: "http://127.0.0.1:4002", Gateway: "http://127.0.0.1:12111",
				RabbitMQUI: "http://127.0.0.1:15674", TemporalUI: "http://127.0.0.1:8233", Temporal: "127.0.0.1:7233",
			}, id)
		}
	}
	text := strings.ReplaceAll(b.String(), w.stack.api, "http://program")
	return regexp.MustCompile(`after \d+m?s`).ReplaceAllString(text, "after 12ms"), err
}

func (w *world) await(_ context.Context, id string) (message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := w.sent[id]
	if !ok || w.fault == "announces nothing" {
		return message{}, errors.New("no message")
	}
	return m, nil
}

func (w *world) addProduct(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var p struct {
		ID    string
		Stock int64
		Price struct{ Amount int64 }
	}
	_ = json.NewDecoder(r.Body).Decode(&p)
	if _, ok := w.stock[p.ID]; ok {
		rw.WriteHeader(http.StatusConflict)
		return
	}
	w.stock[p.ID], w.price[p.ID] = p.Stock, p.Price.Amount
	rw.WriteHeader(http.StatusCreated)
}

func (w *world) showProduct(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, ok := w.stock[r.PathValue("id")]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	fmt.Fprintf(rw, `{"stock": %d}`, n)
}

func (w *world) restock(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var in struct{ Quantity int64 }
	_ = json.NewDecoder(r.Body).Decode(&in)
	w.stock[r.PathValue("id")] += in.Quantity
}

func (w *world) place(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault == "responds nonsense" {
		fmt.Fprint(rw, "nonsense")
		return
	}
	var in orderclient.NewOrder
	_ = json.NewDecoder(r.Body).Decode(&in)
	key := r.Header.Get("Idempotency-Key")
	id, again := w.keys[key]
	if again = again && w.fault != "forgets keys"; !again {
		id = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(w.orders)+1)
		w.keys[key] = id
		w.decide(id, in)
	}
	if again {
		rw.Header().Set("Idempotency-Replayed", "true")
	}
	w.respond(rw, w.orders[id])
}

// decide gives an order its end: stock, money and message.
func (w *world) decide(id string, in orderclient.NewOrder) {
	o := map[string]any{"id": id, "status": "CONFIRMED", "items": in.Items}
	w.orders[id] = o
	var total int64
	for _, it := range in.Items {
		n, ok := w.stock[it.ProductID]
		total += w.price[it.ProductID] * int64(it.Quantity)
		switch {
		case !ok:
			o["reason"] = "PRODUCT_NOT_FOUND"
		case n < int64(it.Quantity):
			o["reason"] = "OUT_OF_STOCK"
		}
	}
	if in.PaymentMethod == "pm_card_chargeDeclined" {
		o["reason"] = "PAYMENT_DECLINED"
	}
	o["total"] = map[string]any{"amount": total, "currency": "USD"}
	if o["reason"] != nil && w.fault != "confirms all" {
		o["status"] = "FAILED"
	}
	m := payments{}
	if in.PaymentMethod != "" {
		_ = json.Unmarshal([]byte(`[{"charges": [{"declineCode": "generic_decline"}]}]`), &m.PaymentIntents)
	}
	if o["reason"] == "OUT_OF_STOCK" {
		_ = json.Unmarshal([]byte(`[{}]`), &m.PaymentIntents)
	}
	if o["status"] == "CONFIRMED" || w.fault == "keeps stock" {
		for _, it := range in.Items {
			if _, ok := w.stock[it.ProductID]; ok {
				w.stock[it.ProductID] -= int64(it.Quantity)
			}
		}
	}
	if o["status"] == "CONFIRMED" || w.fault == "keeps money" {
		m.Captured, m.Net, m.Captures = total, total, 1
		if w.fault == "charges twice" {
			m.Captured, m.Net, m.Captures = 2*total, 2*total, 2
		}
	}
	w.ledger[id] = m
	w.announce(id, o)
}

func (w *world) announce(id string, o map[string]any) {
	e := order.Event{
		Version: 1, Type: order.EventCancelled, OrderID: order.ID(id), UserID: demoUser, Status: order.Status(o["status"].(string)),
	}
	if e.Status == order.Confirmed || w.fault == "announces confirmed" {
		e.Type = order.EventConfirmed
	}
	if r, ok := o["reason"].(string); ok {
		e.Reason = order.Reason(r)
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	w.sent[id] = message{Type: string(e.Type), ID: e.MessageID(), Body: body}
}

func (w *world) respond(rw http.ResponseWriter, o map[string]any) {
	reason, refused := o["reason"].(string)
	if !refused || w.fault == "says 201" {
		rw.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(rw).Encode(o)
		return
	}
	status := http.StatusBadRequest
	if reason == "PRODUCT_NOT_FOUND" {
		status = http.StatusNotFound
	}
	rw.WriteHeader(status)
	name := strings.ToLower(strings.ReplaceAll(reason, "_", "-"))
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"type": "/problems/" + name, "orderId": o["id"], "status": status, "detail": "The reason in words.",
	})
}

func (w *world) show(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = json.NewEncoder(rw).Encode(w.orders[r.PathValue("id")])
}

func (w *world) showLedger(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = json.NewEncoder(rw).Encode(map[string]any{"orders": []payments{w.ledger[r.URL.Query().Get("order_id")]}})
}
