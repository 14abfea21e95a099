package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/api/orderclient"
)

// response is an HTTP response.
type response struct {
	status int
	header http.Header
	body   string
}

// decode reads the body into out.
func (a response) decode(out any) error { return json.Unmarshal([]byte(a.body), out) }

// problem returns the last part of a problem's type, for example "out-of-stock", or "".
func (a response) problem() string {
	var p struct{ Type string }
	if a.decode(&p) != nil {
		return ""
	}
	return p.Type[strings.LastIndexAny(p.Type, "/:")+1:]
}

// orderID returns the ID of the order in the response, which is an order or a problem.
func (a response) orderID() string {
	var o struct{ ID, OrderID string }
	if a.decode(&o) != nil {
		return ""
	}
	return o.ID + o.OrderID
}

// do sends a request with a JSON body, unless that is nil, and headers written "Name: value".
func (s *system) do(method, url string, body any, headers ...string) response {
	s.t.Helper()
	if token := s.tokens[hostOf(s.t, url)]; token != "" {
		headers = append([]string{"Authorization: Bearer " + token}, headers...) // a later header of the same name replaces it
	}
	a, err := send(s.t.Context(), method, url, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func send(ctx context.Context, method, url string, body any, headers ...string) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return response{}, err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, payload)
	if err != nil {
		return response{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, string(text)}, err
}

func newOrder(method, product string, quantity int) orderclient.NewOrder {
	return orderclient.NewOrder{
		UserID: 42, PaymentMethod: method, Items: []orderclient.Item{{ProductID: product, Quantity: quantity}},
	}
}

// place places an order, waits up to 30 s for the outcome, and returns the response as it is.
func (s *system) place(method, product string, quantity int, headers ...string) response {
	s.t.Helper()
	return s.do("POST", "http://"+s.api.addr+"/orders", newOrder(method, product, quantity),
		append([]string{"Prefer: wait=30"}, headers...)...)
}

// placeAsync places an order without waiting for its outcome and returns its ID.
func (s *system) placeAsync(method, product string, quantity int) string {
	s.t.Helper()
	o, err := s.client.Place(s.t.Context(), newOrder(method, product, quantity), orderclient.Wait(0))
	if err != nil {
		s.t.Fatal(err)
	}
	return o.ID
}

func (s *system) order(id string) *orderclient.Order {
	s.t.Helper()
	o, err := s.client.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// finished waits until the order has its final status.
func (s *system) finished(id string) (o *orderclient.Order) {
	s.t.Helper()
	eventually(s.t, "order "+id+" is finished", func(context.Context) bool {
		o = s.order(id)
		return o.Status != orderclient.Pending
	})
	return o
}

// money is what the gateway knows about one order.
type money struct {
	Captured, Refunded, Net int64
	Captures                int
	PaymentIntents          []struct{ Status string }
}

func (s *system) money(id string) money {
	s.t.Helper()
	var ledger struct{ Orders []money }
	a := s.do("GET", "http://"+s.stripesim.addr+"/_sim/ledger?order_id="+id, nil)
	if err := a.decode(&ledger); err != nil || a.status != http.StatusOK || len(ledger.Orders) > 1 {
		s.t.Fatalf("ledger of order %s: %d %s", id, a.status, a.body)
	}
	if len(ledger.Orders) == 0 {
		return money{}
	}
	return ledger.Orders[0]
}

// faults makes the gateway misbehave. Without rules it behaves again.
func (s *system) faults(rules ...map[string]any) {
	s.t.Helper()
	if rules == nil {
		rules = []map[string]any{}
	}
	a := s.do("PUT", "http://"+s.stripesim.addr+"/_sim/faults", rules, "Authorization: Bearer "+apiKey)
	if a.status/100 != 2 {
		s.t.Fatalf("set faults: %d %s", a.status, a.body)
	}
}

// entries returns an order's timeline.
func (s *system) entries(id string) []orderclient.Entry {
	s.t.Helper()
	entries, err := s.client.Timeline(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// timeline returns the types of an order's timeline entries.
func (s *system) timeline(id string) []string {
	s.t.Helper()
	var types []string
	for _, e := range s.entries(id) {
		types = append(types, e.Type)
	}
	return types
}

// told returns an order's timeline as "TYPE step", or "COMMAND detail" for commands.
func (s *system) told(id string) []string {
	s.t.Helper()
	var lines []string
	for _, e := range s.entries(id) {
		text := e.Step
		if e.Type == "COMMAND" {
			text = e.Detail
		}
		lines = append(lines, strings.TrimSpace(e.Type+" "+text))
	}
	return lines
}

// units are a product's units.
type units struct{ Available, Held, Sold int64 }

func (s *system) units(product string) units {
	s.t.Helper()
	var u units
	a := s.do("GET", "http://"+s.catalog.addr+"/products/"+product+"/stock", nil)
	if err := a.decode(&u); err != nil || a.status != http.StatusOK {
		s.t.Fatalf("stock of %s: %d %s", product, a.status, a.body)
	}
	return u
}

// notifications returns the types of the events that the notifier acted on.
func (s *system) notifications(id string) []string {
	s.t.Helper()
	var n struct{ Notifications []struct{ Type string } }
	a := s.do("GET", fmt.Sprintf("http://%s/notifications?orderId=%s", s.notifier.addr, id), nil)
	if err := a.decode(&n); err != nil || a.status != http.StatusOK {
		s.t.Fatalf("notifications of order %s: %d %s", id, a.status, a.body)
	}
	var types []string
	for _, note := range n.Notifications {
		types = append(types, note.Type)
	}
	return types
}
