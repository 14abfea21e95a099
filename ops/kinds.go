package ops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// kind says what is wrong.
type kind string

// The kinds of differences. Their meanings are in kinds.
const (
	moneyKept       kind = "MONEY_KEPT"
	chargedTwice    kind = "CHARGED_TWICE"
	refundNotBooked kind = "REFUND_NOT_BOOKED"
	refundChanged   kind = "REFUND_CHANGED"
	owed            kind = "OWED"
	notPaid         kind = "NOT_PAID"
	wrongAmount     kind = "WRONG_AMOUNT"
	unfinished      kind = "UNFINISHED"
	unknownOrder    kind = "UNKNOWN_ORDER"
	unitsSkipped    kind = "UNITS_SKIPPED"
)

// kindInfo explains a kind to operators.
type kindInfo struct {
	kind    kind
	meaning string
	does    string // what repair does about it; empty when only a person can settle it
	did     string
}

var kinds = []kindInfo{
	{moneyKept, "The order is FAILED or CANCELLED, and the gateway keeps money for it.", "gives it back", "given back"},
	{chargedTwice, "The order is CONFIRMED, and the gateway keeps a second payment for it.", "gives it back", "given back"},
	{refundNotBooked, "The gateway has given back money of a CONFIRMED order by a refund that the books do not have, " +
		"for example one made in its dashboard.", "books it", "booked"},
	{refundChanged, "The gateway has accepted a refund that the books call BOOKED or REFUSED, or the money of one that " +
		"they call PENDING or SUCCEEDED came back.", "books it", "booked"},
	{owed, "A refund FAILED after the gateway had accepted it, and no other refund replaces it: the customer is owed " +
		"the amount.", "", ""},
	{notPaid, "The order is CONFIRMED, and the gateway keeps less than the total without the refunds. No refund of the " +
		"payment explains that.", "", ""},
	{wrongAmount, "The order is CONFIRMED, and the gateway keeps more than the total without the refunds, or another " +
		"currency. Perhaps it does not have a refund that the books call PENDING or SUCCEEDED.", "", ""},
	{unfinished, "The order is still PENDING, and the gateway keeps money for it. See to its saga, which confirms the " +
		"order or gives the money back.", "", ""},
	{unknownOrder, "No order has the ID that the payment names.", "", ""},
	{unitsSkipped, "An operator skipped the return of a refund's units, so the catalog does not have them. A note that " +
		"does not count as left: correct the stock if the units are back.", "", ""},
}

func (k kind) info() kindInfo {
	return kinds[slices.IndexFunc(kinds, func(i kindInfo) bool { return i.kind == k })]
}

// repairable reports whether repair can settle the difference.
func (k kind) repairable() bool { return k.info().does != "" }

// Help is the detailed help of the commands that compare. kong prints indented lines as they are.
func (*compared) Help() string {
	var text strings.Builder
	text.WriteString("For a CONFIRMED order the gateway must keep the total without the refunds that it has accepted, " +
		"in the one payment that the order names; for any other order, nothing.\n\nThe kinds of differences:\n")
	for _, i := range kinds {
		fmt.Fprintf(&text, "\n%s: %s", i.kind, i.meaning)
		if i.does != "" {
			fmt.Fprintf(&text, " Repair %s.", i.does)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// difference is something on which the two sides disagree.
type difference struct {
	Kind      kind           `json:"kind"`
	OrderID   order.ID       `json:"orderId"`
	Status    order.Status   `json:"status,omitempty"`  // of the order, if there is one
	Total     money.Money    `json:"total,omitzero"`    // of the order
	Expected  money.Money    `json:"expected,omitzero"` // what the gateway should keep of a CONFIRMED order
	PaymentID string         `json:"paymentId,omitempty"`
	Kept      money.Money    `json:"kept,omitzero"`      // of this payment, by the gateway
	RefundID  order.RefundID `json:"refundId,omitempty"` // of kinds about one refund that the books have
	GatewayID string         `json:"gatewayId,omitempty"`
	Amount    money.Money    `json:"amount,omitzero"` // of the refund, or what is owed
	Repaired  bool           `json:"repaired"`
	Problem   string         `json:"problem,omitempty"` // why the repair did not succeed

	Found order.GatewayRefund `json:"-"` // what the gateway has, for kinds about one of its refunds
}

// left reports whether the difference is still to be settled.
func (d difference) left() bool { return !d.Repaired && d.Kind != unitsSkipped }

// outcome says what became of the difference, or what can be done about it. The offer is what makes the repair.
func (d difference) outcome(offer string) string {
	switch info := d.Kind.info(); {
	case d.Repaired:
		return info.did
	case d.Problem != "":
		return "failed: " + d.Problem
	case info.does != "":
		return offer + " " + info.does
	case !d.left():
		return "note"
	}
	return "by hand"
}
