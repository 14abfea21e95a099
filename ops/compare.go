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

// refunds are the refunds' rows.
type refunds interface {
	OfOrder(ctx context.Context, id order.ID) ([]order.Refund, error)
	Balances(ctx context.Context, ids []order.ID) ([]order.Balance, error)
	Settle(ctx context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error)
	BookOutside(ctx context.Context, id order.ID, found order.GatewayRefund) (order.Refund, error)
}

// payments are the gateway's.
type payments interface {
	PaymentsSince(ctx context.Context, since time.Time) iter.Seq2[order.GatewayPayment, error]
	PaymentsOf(ctx context.Context, id order.ID) ([]string, error)
	Payment(ctx context.Context, id string) (order.GatewayPayment, error)
	RefundsOf(ctx context.Context, paymentID string) ([]order.GatewayRefund, error)
	GiveBack(ctx context.Context, id order.ID, paymentID string) error
}

// books are the two sides that are compared.
type books struct {
	orders       orders
	refunds      refunds
	payments     payments
	now          time.Time
	readOrders   func(n int) // counts what has been read so far
	readPayments func(n int)
}

// comparison is what a comparison read and found.
type comparison struct {
	orders, payments int      // read
	refunded         int      // orders of which the gateway has given something back, by the books
	account          *account // of the one order that was asked for
	differences      []difference
}

// compare reads both sides and returns the differences. It skips orders that are younger than minAge or have a refund that
// changed more recently, because their sagas may be at work, and, unless since is zero, orders that were placed longer than
// that ago.
func (b books) compare(ctx context.Context, since, minAge time.Duration) (*comparison, error) {
	var from time.Time
	if since > 0 {
		from = b.now.Add(-since)
	}
	until := b.now.Add(-minAge)
	c := &comparison{}
	taken, err := b.taken(ctx, from, c)
	if err != nil {
		return nil, err
	}
	suspects, err := b.suspects(ctx, from, until, taken, c)
	if err != nil {
		return nil, err
	}
	// The two sides were read at different times, and orders went on meanwhile. So each suspect is read again.
	for _, s := range suspects {
		a, err := b.account(ctx, s)
		if err != nil {
			return nil, err
		}
		if !a.changedAfter(until) {
			c.differences = append(c.differences, a.differences()...)
		}
	}
	return c, nil
}

// compareOrder is compare for one order, whatever its age.
func (b books) compareOrder(ctx context.Context, id order.ID) (*comparison, error) {
	ids, err := b.payments.PaymentsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	a, err := b.account(ctx, suspect{id, ids})
	if err != nil {
		return nil, err
	}
	if a.Status == "" && len(a.Payments) == 0 {
		return nil, leftf("there is no order %s, and no payment names it", id)
	}
	c := &comparison{payments: len(a.Payments), account: a, differences: a.differences()}
	if a.Status != "" {
		c.orders = 1
	}
	if a.Expected != a.Total {
		c.refunded = 1
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

// suspect is an order that looks wrong, with the IDs of those of its payments that are known.
type suspect struct {
	id       order.ID
	payments []string
}

func suspectOf(id order.ID, its []order.GatewayPayment) suspect {
	s := suspect{id: id}
	for _, p := range its {
		s.payments = append(s.payments, p.ID)
	}
	return s
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
		balances, err := b.balances(ctx, page)
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
			balance := balances[o.ID]
			if o.Status == order.Confirmed && balance.Kept != o.Total {
				c.refunded++
			}
			a := account{Order: o, Expected: balance.Kept, Owed: balance.Owed, Skipped: balance.Skipped, Payments: its}
			if len(a.differences()) > 0 {
				found = append(found, suspectOf(o.ID, its))
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
			found = append(found, suspectOf(id, its))
		}
	}
	slices.SortFunc(found, func(a, b suspect) int { return cmp.Compare(a.id, b.id) })
	return found, nil
}

// balances returns what the books say about the money of the CONFIRMED orders among those given.
func (b books) balances(ctx context.Context, page []order.Order) (map[order.ID]order.Balance, error) {
	var ids []order.ID
	for _, o := range page {
		if o.Status == order.Confirmed {
			ids = append(ids, o.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	balances, err := b.refunds.Balances(ctx, ids)
	if err != nil {
		return nil, err
	}
	of := map[order.ID]order.Balance{}
	for _, balance := range balances {
		of[balance.OrderID] = balance
	}
	return of, nil
}

// account reads everything about an order's money, as it is now.
func (b books) account(ctx context.Context, s suspect) (*account, error) {
	o, err := b.orders.Order(ctx, s.id)
	if errors.Is(err, order.ErrNotFound) {
		o, err = order.Order{ID: s.id}, nil
	}
	if err != nil {
		return nil, err
	}
	a := &account{Order: o, Expected: money.Money{Currency: o.Total.Currency}}
	if o.PaymentID != "" && !slices.Contains(s.payments, o.PaymentID) {
		s.payments = append(s.payments, o.PaymentID)
	}
	for _, id := range s.payments {
		p, err := b.payments.Payment(ctx, id)
		if errors.Is(err, order.ErrPaymentNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("payments of order %s: %w", s.id, err)
		}
		a.Payments = append(a.Payments, p)
		if o.Status == order.Confirmed && id == o.PaymentID {
			if a.Found, err = b.payments.RefundsOf(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	if o.Status != order.Confirmed {
		return a, nil
	}
	if a.Refunds, err = b.refunds.OfOrder(ctx, s.id); err != nil {
		return nil, err
	}
	balances, err := b.balances(ctx, []order.Order{o})
	balance := balances[o.ID]
	a.Expected, a.Owed, a.Skipped = balance.Kept, balance.Owed, balance.Skipped
	return a, err
}
