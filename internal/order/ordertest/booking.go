package ordertest

import (
	"math/big"
	"slices"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// booking is a request with the books that decide about it.
type booking struct {
	req       order.RefundRequest
	order     order.Order
	refunds   []order.Refund // of the order
	disputed  bool
	shipments []order.Shipment // of the order, without the refused
	items     []order.RefundItem
}

func (m *Memory) bookingOf(o order.Order, req order.RefundRequest) booking {
	b := booking{req: req, order: o, refunds: m.refundsOf(o.ID), shipments: m.shipmentsOf(o.ID), items: req.Items}
	for _, d := range m.disputes {
		b.disputed = b.disputed || d.OrderID == o.ID && (d.Lost || !d.Closed)
	}
	if req.WholeOrder() {
		for i, l := range o.Items {
			if left := l.Quantity - b.back(i+1).units; left > 0 {
				b.items = append(b.items, order.RefundItem{Line: i + 1, Quantity: left, Restock: left})
			}
		}
	}
	return b
}

// moved are units that went back, and their value.
type moved struct {
	units int
	value int64
}

// back returns what went back of a line by refunds of these kinds, or of any kind.
func (b booking) back(line int, kinds ...order.RefundKind) (sum moved) {
	for _, r := range b.refunds {
		if r.Status == order.RefundRefused || r.Late || len(kinds) > 0 && !slices.Contains(kinds, r.Kind) {
			continue
		}
		for _, l := range r.Lines {
			if l.Line == line {
				sum.units += l.Quantity
				sum.value += l.Value.Amount
			}
		}
	}
	return sum
}

func (b booking) shipped(line int) (units int) {
	for _, s := range b.shipments {
		for _, l := range s.Lines {
			if l.Line == line {
				units += l.Quantity
			}
		}
	}
	return units
}

// left returns how many units of the item's line were not given back, and how many of those the request may have.
func (b booking) left(it order.RefundItem) (unreturned, left int) {
	if it.Line > len(b.order.Items) {
		return 0, 0
	}
	bought := b.order.Items[it.Line-1].Quantity
	unreturned = bought - b.back(it.Line).units
	left = unreturned
	if b.req.Kind == order.Cancellation {
		left = min(left, bought-b.back(it.Line, order.Cancellation).units-b.shipped(it.Line))
	} else if len(b.shipments) > 0 {
		left = min(left, b.shipped(it.Line)-b.back(it.Line, order.Return).units)
	}
	return unreturned, max(0, left)
}

// lines returns what the request takes back.
func (b booking) lines() []order.RefundLine {
	var lines []order.RefundLine
	for _, it := range b.items {
		if it.Line > len(b.order.Items) {
			continue
		}
		l := b.order.Items[it.Line-1]
		lines = append(lines, order.RefundLine{
			Line: it.Line, ProductID: l.ProductID, Name: l.Name, Quantity: it.Quantity, Restock: it.Restock,
			Value: money.Money{Amount: b.value(it), Currency: b.order.Total.Currency},
		})
	}
	slices.SortFunc(lines, func(a, b order.RefundLine) int { return a.Line - b.Line })
	return lines
}

// value is what the item's units are worth, in minor units.
func (b booking) value(it order.RefundItem) int64 {
	l, back := b.order.Items[it.Line-1], b.back(it.Line)
	return ShareOfLine(l.Price.Amount*int64(l.Quantity), int64(l.Quantity), int64(back.units), back.value, int64(it.Quantity))
}

// ShareOfLine is the SQL function of that name, in internal/postgres.
func ShareOfLine(worth, bought, back, backWorth, quantity int64) int64 {
	if back+quantity >= bought {
		return worth - backWorth
	}
	share := new(big.Int).Mul(big.NewInt(worth), big.NewInt(back+quantity))
	return max(0, share.Quo(share, big.NewInt(bought)).Int64()-backWorth)
}

// moneyLeft is how much of the order's money is not given back, nor about to be.
func (b booking) moneyLeft() money.Money {
	left := b.order.Total
	for _, r := range b.refunds {
		if r.Status == order.RefundBooked || r.Status == order.RefundPending || r.Status == order.RefundSucceeded {
			left.Amount -= r.Amount.Amount
		}
	}
	left.Amount = max(0, left.Amount)
	return left
}

func (b booking) amount() money.Money {
	sum := money.Money{Currency: b.order.Total.Currency}
	switch {
	case b.req.Money == order.NoMoney:
		return sum
	case !b.req.Amount.IsZero():
		return b.req.Amount
	case b.req.WholeOrder():
		sum = b.moneyLeft()
	default:
		for _, l := range b.lines() {
			sum.Amount += l.Value.Amount
		}
	}
	if b.req.Money == order.ThroughGateway {
		sum.Amount -= sum.Amount % money.CardStep(sum.Currency)
	}
	return sum
}

// refusal is why the books refuse the request, or nil.
func (b booking) refusal() *order.RefundCause {
	var over, short []order.LineLeft // lines that ask for more than was not given back, or than they may have
	for _, it := range b.items {
		unreturned, left := b.left(it)
		if it.Quantity > left {
			short = append(short, order.LineLeft{Line: it.Line, Asked: it.Quantity, Left: left})
		}
		if it.Quantity > unreturned {
			over = append(over, order.LineLeft{Line: it.Line})
		}
	}
	slices.SortFunc(short, func(a, b order.LineLeft) int { return a.Line - b.Line })
	req, amount, left := b.req, b.amount(), b.moneyLeft()
	refuse := func(reason order.RefundReason) *order.RefundCause {
		cause := order.RefusalsOfBooks[reason]
		switch reason {
		case order.RefundTooLarge:
			cause.Left = &left
		case order.QuantityTooLarge, order.OrderShipped:
			cause.Lines = short
		}
		return &cause
	}
	failed := slices.ContainsFunc(b.refunds, func(r order.Refund) bool {
		return r.ID == req.Replaces && r.Status == order.RefundFailed && !replaced(b.refunds, r.ID)
	})
	switch {
	case b.order.Status != order.Confirmed:
		return refuse(order.OrderNotConfirmed)
	case req.Replaces != "" && !failed:
		return refuse(order.NotReplaceable)
	case b.order.UpdatedAt.Before(req.ConfirmedSince):
		return refuse(order.CancelWindowOver)
	case req.Money == order.ThroughGateway && b.disputed:
		return refuse(order.PaymentDisputed)
	case req.Kind == order.Cancellation && req.By == order.ByUser && len(b.shipments) > 0:
		return refuse(order.OrderShipped)
	case req.WholeOrder() && req.Replaces == "" && len(b.items) == 0:
		return refuse(order.NothingLeft)
	case len(over) > 0:
		return refuse(order.QuantityTooLarge)
	case len(short) > 0 && req.Kind == order.Cancellation:
		return refuse(order.OrderShipped)
	case len(short) > 0:
		return refuse(order.QuantityTooLarge)
	case req.Money != order.NoMoney && (left.Amount == 0 || amount.Amount == 0):
		return refuse(order.NothingLeft)
	case amount.Amount > left.Amount || amount.Currency != left.Currency:
		return refuse(order.RefundTooLarge)
	}
	return nil
}

func (m *Memory) refundsOf(id order.ID) []order.Refund {
	var refunds []order.Refund
	for _, r := range m.refunds {
		if r.OrderID == id {
			refunds = append(refunds, r.Refund)
		}
	}
	return refunds
}
