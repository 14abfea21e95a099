package ops

import (
	"context"
	"fmt"

	"github.com/ordersaga/ordersaga/internal/moneytext"
	"github.com/ordersaga/ordersaga/internal/order"
)

// repair settles what it can, one difference after the other. One that it cannot settle does not stop the others.
func (b books) repair(ctx context.Context, c change, differences []difference) {
	for i := range differences {
		d := &differences[i]
		if !d.Kind.repairable() {
			continue
		}
		settle := b.giveBack
		if d.Found.ID != "" {
			settle = b.book
		}
		if err := settle(ctx, c, *d); err != nil {
			d.Problem = err.Error()
			continue
		}
		d.Repaired = true
	}
}

// asked records on the order's timeline what an operator is about to do. It says nothing about what comes of it.
func (b books) asked(ctx context.Context, c change, d difference, what string) error {
	return b.note(ctx, d, order.EntryCommand, fmt.Sprintf("repair by %s: %s (to %s)", c.Operator, c.Reason, what))
}

// note adds an entry under a key of its own: the same payment may need more than one repair.
func (b books) note(ctx context.Context, d difference, t order.EntryType, detail string) error {
	key := fmt.Sprintf("repair.%s.%s.%s.%d", t, d.PaymentID, d.GatewayID, b.now.UnixNano())
	return b.orders.AppendTimeline(ctx, d.OrderID, key, order.Entry{Type: t, At: b.now, Detail: detail})
}

// giveBack gives back what is left of a payment. The timeline tells of the refund when the gateway says that it keeps nothing.
func (b books) giveBack(ctx context.Context, c change, d difference) error {
	what := fmt.Sprintf("%s of payment %s", moneytext.Plain(d.Kept), d.PaymentID)
	if err := b.asked(ctx, c, d, "give back "+what); err != nil {
		return err
	}
	if err := b.payments.GiveBack(ctx, d.OrderID, d.PaymentID); err != nil {
		return err
	}
	p, err := b.payments.Payment(ctx, d.PaymentID)
	if err != nil {
		return err
	}
	if kept := p.Kept(); kept.Amount > 0 {
		return fmt.Errorf("the gateway accepted the refund and still keeps %s", moneytext.Plain(kept))
	}
	if err := b.note(ctx, d, order.EntryRefunded, fmt.Sprintf("%s gave back %s", c.Operator, what)); err != nil {
		return fmt.Errorf("the money is given back, and the timeline does not say so: %w", err)
	}
	return nil
}

// book records a refund as the gateway has it. The worker then brings the refund to rest: it returns its units and announces
// it. A refund of ours is recognized by its metadata.
func (b books) book(ctx context.Context, c change, d difference) error {
	g := d.Found
	what := fmt.Sprintf("book refund %s of %s as the gateway has it: %s", g.ID, moneytext.Plain(g.Amount), g.Status)
	err := b.asked(ctx, c, d, what)
	if err != nil {
		return err
	}
	var row order.Refund
	if g.RefundID != "" && g.RefundID == d.RefundID {
		row, err = b.refunds.Settle(ctx, d.RefundID, g.Outcome())
	} else {
		row, err = b.refunds.BookOutside(ctx, d.OrderID, g)
	}
	if err != nil {
		return err
	}
	if counts(row) != moves(g.Status) {
		return fmt.Errorf("the books have it as %s, which is final", row.Status)
	}
	return nil
}
