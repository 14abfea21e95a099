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
)

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// decode reads the body into out.
func (a answer) decode(out any) error { return json.Unmarshal([]byte(a.body), out) }

// problem returns the last part of a problem's type, as in "out-of-stock", or "".
func (a answer) problem() string {
	var p struct{ Type string }
	if a.decode(&p) != nil {
		return ""
	}
	return p.Type[strings.LastIndexAny(p.Type, "/:")+1:]
}

// orderID returns the ID of the order that the answer is about, be it an order or a problem.
func (a answer) orderID() string {
	var o struct{ ID, OrderID string }
	if a.decode(&o) != nil {
		return ""
	}
	return o.ID + o.OrderID
}

// do sends a request, with a JSON body if there is one, and headers as "Name: value".
func (s *system) do(method, url string, body any, headers ...string) answer {
	s.t.Helper()
	if token := s.tokens[hostOf(s.t, url)]; token != "" {
		headers = append([]string{"Authorization: Bearer " + token}, headers...) // the last of a name counts
	}
	a, err := send(s.t.Context(), method, url, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

func send(ctx context.Context, method, url string, body any, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, payload)
	if err != nil {
		return answer{}, err
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
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(text)}, err
}

// newOrder is the body of POST /orders.
func newOrder(method, product string, quantity int) map[string]any {
	return map[string]any{
		"userId": 42, "paymentMethod": method,
		"items": []map[string]any{{"productId": product, "quantity": quantity}},
	}
}

// place places an order and waits for the outcome as long as the api lets it.
func (s *system) place(method, product string, quantity int, headers ...string) answer {
	s.t.Helper()
	return s.do("POST", "http://"+s.api.addr+"/orders", newOrder(method, product, quantity),
		append([]string{"Prefer: wait=30"}, headers...)...)
}

// placeAsync places an order without waiting for its outcome and returns its ID.
func (s *system) placeAsync(method, product string, quantity int) string {
	s.t.Helper()
	a := s.do("POST", "http://"+s.api.addr+"/orders", newOrder(method, product, quantity), "Prefer: respond-async")
	if a.status != http.StatusAccepted {
		s.t.Fatalf("place an order: %d %s", a.status, a.body)
	}
	return a.orderID()
}

// storedOrder is what GET /orders/{id} answers.
type storedOrder struct {
	ID, Status, Reason string
	Total              struct{ Amount int64 }
	Items              []struct {
		ProductID string
		Quantity  int64
	}
}

func (s *system) order(id string) storedOrder {
	s.t.Helper()
	var o storedOrder
	a := s.do("GET", "http://"+s.api.addr+"/orders/"+id, nil)
	if a.status != http.StatusOK {
		s.t.Fatalf("GET order %s: %d %s", id, a.status, a.body)
	}
	if err := a.decode(&o); err != nil {
		s.t.Fatal(err)
	}
	return o
}

// finished waits until the order is at its end.
func (s *system) finished(id string) storedOrder {
	s.t.Helper()
	var o storedOrder
	eventually(s.t, "order "+id+" is at its end", func(context.Context) bool {
		o = s.order(id)
		return o.Status != "PENDING"
	})
	return o
}

// money is what the gateway has of one order.
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

// faults makes the gateway misbehave; none makes it behave again.
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

// record is a line of an order's timeline.
type record struct{ Type, Step, Detail string }

func (s *system) records(id string) []record {
	s.t.Helper()
	var timeline struct{ Entries []record }
	a := s.do("GET", "http://"+s.api.addr+"/orders/"+id+"/timeline", nil)
	if err := a.decode(&timeline); err != nil || a.status != http.StatusOK {
		s.t.Fatalf("timeline of order %s: %d %s", id, a.status, a.body)
	}
	return timeline.Entries
}

// units is where a product's units are.
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

// notifications are what the notifier made of an order's events.
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
