package main

import (
	"context"
	"fmt"

	"github.com/ordersaga/ordersaga/internal/order"
)

// repair gives back what must not be kept, one payment after the other, and marks what it did. One failure does not keep
// it from the others.
func (b books) repair(ctx context.Context, o options, differences []difference) {
	for i := range differences {
		d := &differences[i]
		if !d.Kind.repairable() {
			continue
		}
		if err := b.giveBack(ctx, o, *d); err != nil {
			d.Failure = err.Error()
			continue
		}
		d.Repaired = true
	}
}

// giveBack writes down what will be done, by whom and why, and then does it: done, it would not be found again, and
// could not be written down later. Both are safe to repeat.
func (b books) giveBack(ctx context.Context, o options, d difference) error {
	err := b.orders.AppendTimeline(ctx, d.OrderID, "reconcile."+d.PaymentID, order.Entry{
		Type: order.EntryRefunded, At: b.now,
		Detail: fmt.Sprintf("reconciliation by %s gives back %s of payment %s: %s", o.operator, amount(d.Kept), d.PaymentID, o.reason),
	})
	if err != nil {
		return err
	}
	return b.payments.GiveBack(ctx, d.OrderID, d.PaymentID)
}
