package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// orders are the orders' rows.
type orders interface {
	Orders(ctx context.Context, q order.Query) ([]order.Order, string, error)
	Order(ctx context.Context, id order.ID) (order.Order, error)
	AppendTimeline(ctx context.Context, id order.ID, key string, r order.Entry) error
}

// payments are the gateway's.
type payments interface {
	PaymentsSince(ctx context.Context, since time.Time) iter.Seq2[order.GatewayPayment, error]
	Payment(ctx context.Context, id string) (order.GatewayPayment, error)
	GiveBack(ctx context.Context, id order.ID, paymentID string) error
}

// books are the two sides that are compared.
type books struct {
	orders   orders
	payments payments
	now      time.Time
}

// kind says what is wrong.
type kind string

// The kinds of differences.
const (
	moneyKept    kind = "MONEY_KEPT"    // of an order that is FAILED or CANCELLED
	chargedTwice kind = "CHARGED_TWICE" // a CONFIRMED order keeps the money of a payment besides its own
	notPaid      kind = "NOT_PAID"      // less than the total of a CONFIRMED order is kept
	wrongAmount  kind = "WRONG_AMOUNT"  // more than the total of a CONFIRMED order is kept, or another currency
	unfinished   kind = "UNFINISHED"    // money is kept of an order that is still PENDING: see to its saga
	unknownOrder kind = "UNKNOWN_ORDER" // money is kept for an order that there is none of
)

// repairable reports whether giving the payment back is all that it takes.
func (k kind) repairable() bool { return k == moneyKept || k == chargedTwice }

// difference is something that the two sides do not agree about.
type difference struct {
	Kind      kind         `json:"kind"`
	OrderID   order.ID     `json:"orderId"`
	Status    order.Status `json:"status,omitempty"` // of the order, if there is one
	Total     money.Money  `json:"total,omitzero"`   // of the order
	PaymentID string       `json:"paymentId,omitempty"`
	Kept      money.Money  `json:"kept,omitzero"` // of this payment, by the gateway
	Repaired  bool         `json:"repaired"`
	Failure   string       `json:"failure,omitempty"` // why the repair did not succeed
}

// compare reads both sides and returns what differs.
func (b books) compare(ctx context.Context, o options) (*report, error) {
	var since time.Time
	if o.since > 0 {
		since = b.now.Add(-o.since)
	}
	r := &report{Differences: []difference{}}
	taken, err := b.read(ctx, since, r)
	if err != nil {
		return nil, err
	}
	suspects, err := b.suspects(ctx, since, b.now.Add(-o.minAge), taken, r)
	if err != nil {
		return nil, err
	}
	for _, s := range suspects {
		again, err := b.lookAgain(ctx, s)
		if err != nil {
			return nil, err
		}
		r.Differences = append(r.Differences, again...)
	}
	return r, nil
}

// read returns the payments that have taken money, by order.
func (b books) read(ctx context.Context, since time.Time, r *report) (map[order.ID][]order.GatewayPayment, error) {
	taken := map[order.ID][]order.GatewayPayment{}
	for p, err := range b.payments.PaymentsSince(ctx, since) {
		if err != nil {
			return nil, err
		}
		r.Payments++
		if p.OrderID != "" && p.Captured > 0 {
			taken[p.OrderID] = append(taken[p.OrderID], p)
		}
	}
	return taken, nil
}

// suspect is an order of which something looks wrong, with its payments as far as they are known.
type suspect struct {
	id       order.ID
	payments []order.GatewayPayment
}

// suspects goes through all orders placed from since until before, and through the payments that belong to none of them.
// It uses taken up.
func (b books) suspects(
	ctx context.Context, since, before time.Time, taken map[order.ID][]order.GatewayPayment, r *report,
) ([]suspect, error) {
	var found []suspect
	for q := (order.Query{Limit: order.MaxPage}); ; {
		page, next, err := b.orders.Orders(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			if o.CreatedAt.Before(since) {
				next = ""
				break
			}
			its := taken[o.ID]
			delete(taken, o.ID)
			if o.CreatedAt.After(before) {
				continue
			}
			r.Orders++
			if len(judge(o, its)) > 0 {
				found = append(found, suspect{o.ID, its})
			}
		}
		if q.Cursor = next; next == "" {
			break
		}
	}
	for id, its := range taken { // of older orders, of orders that came in meanwhile, or of none
		its = slices.DeleteFunc(its, func(p order.GatewayPayment) bool { return p.CreatedAt.After(before) })
		if len(its) > 0 {
			found = append(found, suspect{id, its})
		}
	}
	slices.SortFunc(found, func(a, b suspect) int { return compareIDs(a.id, b.id) })
	return found, nil
}

func compareIDs(a, b order.ID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// lookAgain judges an order by its row and its payments as they are now.
func (b books) lookAgain(ctx context.Context, s suspect) ([]difference, error) {
	o, err := b.orders.Order(ctx, s.id)
	if err != nil && !errors.Is(err, order.ErrNotFound) {
		return nil, err
	}
	known := !errors.Is(err, order.ErrNotFound)
	ids := []string{}
	for _, p := range s.payments {
		ids = append(ids, p.ID)
	}
	if known && o.PaymentID != "" && !slices.Contains(ids, o.PaymentID) {
		ids = append(ids, o.PaymentID)
	}
	var its []order.GatewayPayment
	for _, id := range ids {
		p, err := b.payments.Payment(ctx, id)
		if errors.Is(err, order.ErrPaymentNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("payments of order %s: %w", s.id, err)
		}
		its = append(its, p)
	}
	if !known {
		return strangers(s.id, its), nil
	}
	return judge(o, its), nil
}

func strangers(id order.ID, its []order.GatewayPayment) []difference {
	var out []difference
	for _, p := range its {
		if p.Kept().Amount > 0 {
			out = append(out, difference{Kind: unknownOrder, OrderID: id, PaymentID: p.ID, Kept: p.Kept()})
		}
	}
	return out
}

// judge is the rule: what is wrong about an order, given all of its payments.
func judge(o order.Order, its []order.GatewayPayment) []difference {
	var out []difference
	add := func(k kind, paymentID string, kept money.Money) {
		out = append(out, difference{
			Kind: k, OrderID: o.ID, Status: o.Status, Total: o.Total, PaymentID: paymentID, Kept: kept,
		})
	}
	own := money.Money{Currency: o.Total.Currency}
	for _, p := range its {
		switch kept := p.Kept(); {
		case o.Status == order.Confirmed && p.ID == o.PaymentID:
			own = kept
		case kept.Amount <= 0:
		case o.Status == order.Confirmed:
			add(chargedTwice, p.ID, kept)
		case o.Status == order.Pending:
			add(unfinished, p.ID, kept)
		default:
			add(moneyKept, p.ID, kept)
		}
	}
	switch {
	case o.Status != order.Confirmed || own == o.Total:
	case own.Currency == o.Total.Currency && own.Amount < o.Total.Amount:
		add(notPaid, o.PaymentID, own)
	default:
		add(wrongAmount, o.PaymentID, own)
	}
	return out
}
