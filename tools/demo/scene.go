package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// demoUser is whose orders these are.
const demoUser = 42

// newOrder is the body of POST /orders.
type newOrder struct {
	UserID        int64        `json:"userId"`
	Items         []order.Item `json:"items"`
	PaymentMethod string       `json:"paymentMethod,omitempty"`
}

// play places a scene's order and shows what comes of it.
func play(ctx context.Context, s *stack, sc scene, out *report) (order.ID, error) {
	out.title(sc.title)
	out.line("%s", out.paint(dim, sc.intro[:fold(sc.intro)]))
	if rest := strings.TrimSpace(sc.intro[fold(sc.intro):]); rest != "" {
		out.line("%s", out.paint(dim, rest))
	}
	before, err := s.stock(ctx, sc.products())
	if err != nil {
		return "", err
	}
	body, key := sc.order(before), uuid.NewString()
	out.line("POST /orders")
	out.json(mustMarshal(body))

	a, err := place(ctx, s, body, key)
	if err != nil {
		return "", err
	}
	id := showAnswer(sc, a, out)
	if id == "" {
		return "", fmt.Errorf("the api answered without an order's ID: %s", a.body)
	}
	if sc.again {
		if err := placeAgain(ctx, s, body, key, a, out); err != nil {
			return "", err
		}
	}
	return id, aftermath(ctx, s, sc, body, before, id, out)
}

// fold returns where a text that is too long for a line is best broken.
func fold(text string) int {
	if len(text) <= width-2 {
		return len(text)
	}
	if at := strings.LastIndexByte(text[:width-2], ' '); at > 0 {
		return at
	}
	return len(text)
}

func place(ctx context.Context, s *stack, body newOrder, key string) (answer, error) {
	return s.api.call(ctx, http.MethodPost, "/orders", body, "Idempotency-Key: "+key, "Prefer: wait=30")
}

// products are those of the scene's items.
func (sc scene) products() []string {
	var ids []string
	for _, it := range sc.items {
		ids = append(ids, it.product)
	}
	return ids
}

func (sc scene) order(stock map[string]int64) newOrder {
	o := newOrder{UserID: demoUser, PaymentMethod: sc.payment}
	for _, it := range sc.items {
		n := it.quantity
		if it.beyond > 0 {
			n = int(stock[it.product]) + it.beyond
		}
		o.Items = append(o.Items, order.Item{ProductID: it.product, Quantity: n})
	}
	return o
}

// showAnswer shows what the client was told and returns the ID of the order that it was told about.
func showAnswer(sc scene, a answer, out *report) order.ID {
	var told struct {
		ID      order.ID `json:"id"`
		OrderID order.ID `json:"orderId"` // of a problem
		Type    string   `json:"type"`    // of a problem
	}
	_ = json.Unmarshal(a.body, &told) // what is no JSON has no ID
	promised := fmt.Sprintf("%d %s", sc.status, http.StatusText(sc.status))
	if sc.problem != "" {
		promised += ", " + sc.problem
	}
	out.fact(a.status == sc.status && told.Type == sc.problem, "answer",
		fmt.Sprintf("%d %s after %s", a.status, http.StatusText(a.status), a.took.Round(time.Millisecond)), promised)
	out.json(a.body)
	if told.ID != "" {
		return told.ID
	}
	return told.OrderID
}

// placeAgain repeats the request with its key: the same order must come back.
func placeAgain(ctx context.Context, s *stack, body newOrder, key string, first answer, out *report) error {
	a, err := place(ctx, s, body, key)
	if err != nil {
		return err
	}
	var was, is shown
	_, _ = json.Unmarshal(first.body, &was), json.Unmarshal(a.body, &is)
	out.fact(a.status == first.status && is.ID == was.ID && a.header.Get("Idempotency-Replayed") == "true", "again",
		fmt.Sprintf("%d, order %s, Idempotency-Replayed: %s", a.status, is.ID, a.header.Get("Idempotency-Replayed")),
		"the same answer, marked as a repetition")
	return nil
}

// aftermath shows what became of the order, of stock and money, and what was announced.
func aftermath(
	ctx context.Context, s *stack, sc scene, body newOrder, before map[string]int64, id order.ID, out *report,
) error {
	o, err := s.ended(ctx, id)
	if err != nil {
		return err
	}
	out.fact(o.Status == sc.ends && o.Reason == sc.reason, "order", words(string(o.Status), string(o.Reason)),
		words(string(sc.ends), string(sc.reason)))
	if err := showStock(ctx, s, sc, body, before, out); err != nil {
		return err
	}
	if err := showMoney(ctx, s, sc, o, out); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	m, err := s.events.await(waiting, id)
	if err != nil {
		return err
	}
	var e order.Event
	err = json.Unmarshal(m.Body, &e)
	out.fact(err == nil && m.Type == string(sc.event) && e.OrderID == id && e.Status == sc.ends && e.Reason == sc.reason,
		"message", m.Type, words(string(sc.event), "about this end"))
	out.json(m.Body)
	out.link(s.saga(id))
	return nil
}

// showStock compares the stock before and after: sold when the order is confirmed, else as before.
func showStock(
	ctx context.Context, s *stack, sc scene, body newOrder, before map[string]int64, out *report,
) error {
	promised := maps.Clone(before)
	if sc.ends == order.Confirmed {
		for _, it := range body.Items {
			promised[it.ProductID] -= int64(it.Quantity)
		}
	}
	after, err := until(ctx, s.patience, func(ctx context.Context) (map[string]int64, error) {
		return s.stock(ctx, sc.products())
	}, func(after map[string]int64) bool { return maps.Equal(after, promised) })
	if err != nil {
		return err
	}
	var is, should []string
	for _, id := range slices.Sorted(maps.Keys(after)) {
		if after[id] == unknown {
			is = append(is, id+" is not in the catalog")
		} else {
			is = append(is, fmt.Sprintf("%s %d → %d", id, before[id], after[id]))
		}
		should = append(should, fmt.Sprintf("%s %d", id, promised[id]))
	}
	out.fact(maps.Equal(after, promised), "stock", strings.Join(is, ", "), strings.Join(should, ", "))
	return nil
}

// showMoney shows what the gateway took and gave back: a confirmed order's total, taken once; nothing of any other.
func showMoney(ctx context.Context, s *stack, sc scene, o shown, out *report) error {
	var net int64
	captures := 0
	if sc.ends == order.Confirmed {
		net, captures = o.Total.Amount, 1
	}
	right := func(m payments) bool { return m.Net == net && m.Captures == captures }
	m, err := until(ctx, s.patience, func(ctx context.Context) (payments, error) { return s.money(ctx, o.ID) }, right)
	if err != nil {
		return err
	}
	out.fact(right(m), "money", m.words(o.Total.Currency), fmt.Sprintf("%s, taken %d times", amount(net, o.Total.Currency), captures))
	return nil
}

// words tells what the gateway holds.
func (m payments) words(code string) string {
	if m.Captures > 0 {
		return fmt.Sprintf("the gateway holds %s: took %s, gave back %s",
			amount(m.Net, code), amount(m.Captured, code), amount(m.Refunded, code))
	}
	if len(m.PaymentIntents) == 0 {
		return "the gateway was never asked"
	}
	for _, c := range m.PaymentIntents[len(m.PaymentIntents)-1].Charges {
		if c.DeclineCode != "" {
			return "the gateway holds nothing: declined (" + c.DeclineCode + "), then cancelled"
		}
	}
	return "the gateway holds nothing: never charged, and cancelled so that no late charge succeeds"
}

// amount writes minor units of a currency.
func amount(minor int64, code string) string {
	return moneytext.Plain(money.Money{Amount: minor, Currency: code})
}

// words joins those that are not empty.
func words(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}
