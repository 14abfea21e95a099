package ops

import (
	"cmp"
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
	AppendTimeline(ctx context.Context, id order.ID, key string, e order.Entry) error
}

// payments are the gateway's.
type payments interface {
	PaymentsSince(ctx context.Context, since time.Time) iter.Seq2[order.GatewayPayment, error]
	Payment(ctx context.Context, id string) (order.GatewayPayment, error)
	GiveBack(ctx context.Context, id order.ID, paymentID string) error
}

// books are the two sides that are compared.
type books struct {
	orders       orders
	payments     payments
	now          time.Time
	readOrders   func(n int) // counts what has been read so far
	readPayments func(n int)
}

// kind says what is wrong.
type kind string

// The kinds of differences.
const (
	moneyKept    kind = "MONEY_KEPT"    // the order is FAILED or CANCELLED
	chargedTwice kind = "CHARGED_TWICE" // the order is CONFIRMED, and this is not its payment
	notPaid      kind = "NOT_PAID"      // the order is CONFIRMED, and less than its total is kept
	wrongAmount  kind = "WRONG_AMOUNT"  // the order is CONFIRMED, and more than its total or another currency is kept
	unfinished   kind = "UNFINISHED"    // the order is still PENDING: see to its saga
	unknownOrder kind = "UNKNOWN_ORDER" // no order has the ID that the payment names
)

// repairable reports whether giving the payment back settles the difference.
func (k kind) repairable() bool { return k == moneyKept || k == chargedTwice }

// difference is something on which the two sides disagree.
type difference struct {
	Kind      kind         `json:"kind"`
	OrderID   order.ID     `json:"orderId"`
	Status    order.Status `json:"status,omitempty"` // of the order, if there is one
	Total     money.Money  `json:"total,omitzero"`   // of the order
	PaymentID string       `json:"paymentId,omitempty"`
	Kept      money.Money  `json:"kept,omitzero"` // of this payment, by the gateway
	Repaired  bool         `json:"repaired"`
	Problem   string       `json:"problem,omitempty"` // why the repair did not succeed
}

// comparison is what a comparison read and found.
type comparison struct {
	orders, payments int // read
	differences      []difference
}

// compare reads both sides and returns the differences. It skips orders that are younger than minAge, because their sagas
// may be at work, and, unless since is zero, orders that were placed longer than that ago.
func (b books) compare(ctx context.Context, since, minAge time.Duration) (*comparison, error) {
	var from time.Time
	if since > 0 {
		from = b.now.Add(-since)
	}
	c := &comparison{}
	taken, err := b.taken(ctx, from, c)
	if err != nil {
		return nil, err
	}
	suspects, err := b.suspects(ctx, from, b.now.Add(-minAge), taken, c)
	if err != nil {
		return nil, err
	}
	// The two sides were read at different times, and orders went on meanwhile. So each suspect is read again.
	for _, s := range suspects {
		again, err := b.again(ctx, s)
		if err != nil {
			return nil, err
		}
		c.differences = append(c.differences, again...)
	}
	return c, nil
}

// taken returns the payments that have taken money, by order.
func (b books) taken(ctx context.Context, from time.Time, c *comparison) (map[order.ID][]order.GatewayPayment, error) {
	taken := map[order.ID][]order.GatewayPayment{}
	for p, err := range b.payments.PaymentsSince(ctx, from) {
		if err != nil {
			return nil, err
		}
		c.payments++
		b.readPayments(1)
		if p.OrderID != "" && p.Captured > 0 {
			taken[p.OrderID] = append(taken[p.OrderID], p)
		}
	}
	return taken, nil
}

// suspect is an order that looks wrong, with those of its payments that are known.
type suspect struct {
	id       order.ID
	payments []order.GatewayPayment
}

// suspects goes through all orders that were placed between the two times, newest first, and then through the payments
// that belong to none of them. It empties taken.
func (b books) suspects(
	ctx context.Context, from, until time.Time, taken map[order.ID][]order.GatewayPayment, c *comparison,
) ([]suspect, error) {
	var found []suspect
	for q := (order.Query{Limit: order.MaxPage}); ; {
		page, next, err := b.orders.Orders(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			if o.CreatedAt.Before(from) {
				next = ""
				break
			}
			its := taken[o.ID]
			delete(taken, o.ID)
			if o.CreatedAt.After(until) {
				continue
			}
			c.orders++
			b.readOrders(1)
			if len(judge(o, its)) > 0 {
				found = append(found, suspect{o.ID, its})
			}
		}
		if q.Cursor = next; next == "" {
			break
		}
	}
	// What is left was paid for older orders, for orders that came in meanwhile, or for none.
	for id, its := range taken {
		its = slices.DeleteFunc(its, func(p order.GatewayPayment) bool { return p.CreatedAt.After(until) })
		if len(its) > 0 {
			found = append(found, suspect{id, its})
		}
	}
	slices.SortFunc(found, func(a, b suspect) int { return cmp.Compare(a.id, b.id) })
	return found, nil
}

// again judges an order by its row and its payments as they are now.
func (b books) again(ctx context.Context, s suspect) ([]difference, error) {
	o, err := b.orders.Order(ctx, s.id)
	if errors.Is(err, order.ErrNotFound) {
		o, err = order.Order{ID: s.id}, nil
	}
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, p := range s.payments {
		ids = append(ids, p.ID)
	}
	if o.PaymentID != "" && !slices.Contains(ids, o.PaymentID) {
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
	return judge(o, its), nil
}

// judge is the rule: for a CONFIRMED order the gateway keeps exactly the total, in the one payment that the order names;
// for every other order it keeps nothing. An order without a status does not exist.
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
		case o.Status == "":
			add(unknownOrder, p.ID, kept)
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
