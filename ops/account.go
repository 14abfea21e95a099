package ops

import (
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// account is the money of one order on both sides. An order without a status does not exist.
type account struct {
	order.Order
	Expected money.Money            // what the gateway should keep
	Owed     money.Money            // what the customer is owed, by the books
	Skipped  []order.RefundID       // refunds whose units are not in the catalog
	Payments []order.GatewayPayment // that name the order
	Refunds  []order.Refund         // of a CONFIRMED order, by the books
	Found    []order.GatewayRefund  // of the payment that confirmed the order, by the gateway
}

// changedAfter reports whether a refund changed after the time. Its saga may be at work, or was while the two sides were read.
func (a *account) changedAfter(t time.Time) bool {
	return slices.ContainsFunc(a.Refunds, func(r order.Refund) bool { return r.UpdatedAt.After(t) })
}

// differences is the rule: for a CONFIRMED order the gateway keeps exactly what is expected, in the one payment that the
// order names; for every other order it keeps nothing. Without Refunds and Found it cannot tell why the amounts differ.
func (a *account) differences() []difference {
	var out []difference
	own := money.Money{Currency: a.Total.Currency}
	for _, p := range a.Payments {
		kept := p.Kept()
		d := a.difference("", p.ID, kept)
		switch {
		case a.Status == order.Confirmed && p.ID == a.PaymentID:
			own = kept
			continue
		case kept.Amount <= 0:
			continue
		case a.Status == order.Confirmed:
			d.Kind = chargedTwice
		case a.Status == "":
			d.Kind = unknownOrder
		case a.Status == order.Pending:
			d.Kind = unfinished
		default:
			d.Kind = moneyKept
		}
		out = append(out, d)
	}
	if a.Status != order.Confirmed {
		return out
	}
	refunds, explained := a.refundDifferences(own)
	out = append(out, refunds...)
	switch {
	case own == explained:
	case own.Currency == explained.Currency && own.Amount < explained.Amount:
		out = append(out, a.difference(notPaid, a.PaymentID, own))
	default:
		out = append(out, a.difference(wrongAmount, a.PaymentID, own))
	}
	return append(out, a.open(own)...)
}

func (a *account) difference(k kind, paymentID string, kept money.Money) difference {
	d := difference{Kind: k, OrderID: a.ID, Status: a.Status, Total: a.Total, PaymentID: paymentID, Kept: kept}
	if a.Status == order.Confirmed {
		d.Expected = a.Expected
	}
	return d
}

// refundDifferences compares the refunds one by one. It returns those about which the sides disagree, and what the gateway
// should keep if it is right about all of them.
func (a *account) refundDifferences(own money.Money) (out []difference, explained money.Money) {
	explained = a.Expected
	for _, g := range a.Found {
		at := slices.IndexFunc(a.Refunds, func(r order.Refund) bool { return isRowOf(r, g) })
		given := moves(g.Status)
		booked := at >= 0 && counts(a.Refunds[at])
		if given == booked {
			continue
		}
		d := a.difference(refundNotBooked, a.PaymentID, own)
		d.GatewayID, d.Amount, d.Found = g.ID, g.Amount, g
		if at >= 0 {
			d.Kind, d.RefundID = refundChanged, a.Refunds[at].ID
		}
		if given {
			explained.Amount -= g.Amount.Amount
		} else {
			explained.Amount += a.Refunds[at].Amount.Amount
		}
		out = append(out, d)
	}
	return out, explained
}

// open returns what both sides agree on and a person has yet to settle.
func (a *account) open(own money.Money) (out []difference) {
	if a.Owed.Amount > 0 {
		d := a.difference(owed, a.PaymentID, own)
		d.Amount = a.Owed
		out = append(out, d)
	}
	for _, id := range a.Skipped {
		d := a.difference(unitsSkipped, a.PaymentID, own)
		d.RefundID = id
		out = append(out, d)
	}
	return out
}

// isRowOf reports whether a row is that of a refund of the gateway: it bears the ID in its metadata, or was made outside.
func isRowOf(r order.Refund, g order.GatewayRefund) bool {
	return g.RefundID == r.ID && g.OrderID == r.OrderID || r.ID == order.OutsideRefundID(g.ID)
}

// moves reports whether a refund of this status takes money from what the gateway keeps.
func moves(s order.RefundStatus) bool { return s == order.RefundPending || s == order.RefundSucceeded }

// counts reports whether the books count the refund among what the gateway has given back.
func counts(r order.Refund) bool { return r.Money == order.ThroughGateway && moves(r.Status) }
