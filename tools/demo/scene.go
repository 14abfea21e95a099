package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// demoUser is the customer.
const demoUser = 42

// play places a scene's order, shows what happens, and returns the order's ID.
func play(ctx context.Context, s *stack, sc scene, out *report) (string, error) {
	out.title(sc.title)
	for _, line := range sc.intro {
		out.line("%s", out.paint(dim, line))
	}
	before, err := s.stock(ctx, sc.products())
	if err != nil {
		return "", err
	}
	body, key := sc.order(before), uuid.NewString()
	request, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	out.line("POST /orders  %s", out.paint(dim, string(request)))
	first, err := place(ctx, s, body, key)
	if err != nil {
		return "", err
	}
	promised := response{status: sc.status, problem: sc.problem}
	out.fact(first.status == sc.status && first.problem == sc.problem, "response", first.String(), promised.String())
	if sc.again {
		second, err := place(ctx, s, body, key)
		if err != nil {
			return "", err
		}
		out.fact(second.status == first.status && second.orderID == first.orderID && second.replayed, "again",
			fmt.Sprintf("%d: order %s, replayed: %t", second.status, second.orderID, second.replayed),
			"the same response, marked as replayed")
	}
	return first.orderID, aftermath(ctx, s, sc, body, before, first.orderID, out)
}

// response is what the customer learns.
type response struct {
	status   int
	problem  string // its type, empty when the order was accepted
	orderID  string
	text     string
	replayed bool
	took     time.Duration
}

func (r response) String() string {
	s := fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))
	if r.problem != "" {
		s += " " + r.problem
	}
	if r.took > 0 {
		s += fmt.Sprintf(" after %s: %s", r.took.Round(time.Millisecond), r.text)
	}
	return s
}

func place(ctx context.Context, s *stack, body orderclient.NewOrder, key string) (response, error) {
	began := time.Now()
	o, err := s.orders.Place(ctx, body, orderclient.WithKey(key), orderclient.Wait(30*time.Second))
	r := response{took: time.Since(began)}
	var p *orderclient.Problem
	switch {
	case errors.As(err, &p) && p.OrderID != "":
		r.status, r.problem, r.orderID, r.text = p.Status, p.Type, p.OrderID, p.Detail
		return r, nil
	case err != nil:
		return r, err
	case o.ID == "":
		return r, errors.New("the api's response has no order ID")
	}
	r.status, r.orderID, r.replayed = http.StatusCreated, o.ID, o.Replayed
	if o.Status == orderclient.Pending {
		r.status = http.StatusAccepted
	}
	r.text = fmt.Sprintf("order %s, %s, %s", o.ID, o.Status, moneytext.Plain(total(o)))
	return r, nil
}

// total is zero until the order is priced.
func total(o *orderclient.Order) money.Money {
	if o.Total == nil {
		return money.Money{}
	}
	return money.Money{Amount: o.Total.Amount, Currency: o.Total.Currency}
}

// products are those of the scene's items.
func (sc scene) products() []string {
	var ids []string
	for _, it := range sc.items {
		ids = append(ids, it.product)
	}
	return ids
}

func (sc scene) order(stock map[string]int64) orderclient.NewOrder {
	o := orderclient.NewOrder{UserID: demoUser, PaymentMethod: sc.payment}
	for _, it := range sc.items {
		n := it.quantity
		if it.beyond > 0 {
			n = int(stock[it.product]) + it.beyond
		}
		o.Items = append(o.Items, orderclient.Item{ProductID: it.product, Quantity: n})
	}
	return o
}

// aftermath shows the order's end, the stock, the money and the message.
func aftermath(
	ctx context.Context, s *stack, sc scene, body orderclient.NewOrder, before map[string]int64, id string, out *report,
) error {
	o, err := s.ended(ctx, id)
	if err != nil {
		return err
	}
	out.fact(o.Status == sc.ends && o.Reason == string(sc.reason), "order",
		words(string(o.Status), o.Reason), words(string(sc.ends), string(sc.reason)))
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
	about := err == nil && string(e.OrderID) == id && string(e.Status) == string(sc.ends) && e.Reason == sc.reason
	out.fact(about && m.Type == string(sc.event), "message",
		words(m.Type, out.paint(dim, string(m.Body))), words(string(sc.event), "about this end"))
	out.link(s.saga(id))
	return nil
}

// showStock compares the stock before and after: sold when the order is confirmed, otherwise unchanged.
func showStock(
	ctx context.Context, s *stack, sc scene, body orderclient.NewOrder, before map[string]int64, out *report,
) error {
	promised := maps.Clone(before)
	if sc.ends == orderclient.Confirmed {
		for _, it := range body.Items {
			promised[it.ProductID] -= int64(it.Quantity)
		}
	}
	right := func(after map[string]int64) bool { return maps.Equal(after, promised) }
	after, err := until(ctx, s.patience, func(ctx context.Context) (map[string]int64, error) {
		return s.stock(ctx, sc.products())
	}, right)
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
	out.fact(right(after), "stock", strings.Join(is, ", "), strings.Join(should, ", "))
	return nil
}

// showMoney shows what the gateway took and gave back: a confirmed order's total, once; nothing of any other.
func showMoney(ctx context.Context, s *stack, sc scene, o *orderclient.Order, out *report) error {
	var net int64
	captures := 0
	if sc.ends == orderclient.Confirmed {
		net, captures = total(o).Amount, 1
	}
	right := func(m payments) bool { return m.Net == net && m.Captures == captures }
	m, err := until(ctx, s.patience, func(ctx context.Context) (payments, error) { return s.money(ctx, o.ID) }, right)
	if err != nil {
		return err
	}
	in := func(amount int64) string {
		return moneytext.Plain(money.Money{Amount: amount, Currency: total(o).Currency})
	}
	out.fact(right(m), "money", m.words(in), fmt.Sprintf("%s, taken %d times", in(net), captures))
	return nil
}

// words says what the gateway holds.
func (m payments) words(in func(amount int64) string) string {
	switch {
	case m.Captures > 0:
		return fmt.Sprintf("the gateway holds %s: took %s, gave back %s", in(m.Net), in(m.Captured), in(m.Refunded))
	case len(m.PaymentIntents) == 0:
		return "the gateway holds nothing: it was not called"
	}
	for _, c := range m.PaymentIntents[len(m.PaymentIntents)-1].Charges {
		if c.DeclineCode != "" {
			return "the gateway holds nothing: declined (" + c.DeclineCode + "), then cancelled"
		}
	}
	return "the gateway holds nothing: not charged, and cancelled so that no late charge succeeds"
}

// words joins those that are not empty.
func words(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}
