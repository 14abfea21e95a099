package order

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// Part says how much of something has happened.
type Part string

// The parts.
const (
	PartNone Part = "NONE"
	PartSome Part = "PART"
	PartAll  Part = "ALL"
)

// part is how much of all there is of some.
func part(some, all int64) Part {
	switch {
	case some <= 0:
		return PartNone
	case some < all:
		return PartSome
	}
	return PartAll
}

// GivenBack says how much of an order's money was given back. What was paid by other means counts, and what came back from
// the customer's bank does not.
func (o Order) GivenBack() Part { return part(o.Refunded.Amount, o.Total.Amount) }

// Fulfilment says how many of an order's units were shipped, of those that were not cancelled.
func (o Order) Fulfilment() Part {
	var shipped, wanted int64
	for _, l := range o.Items {
		shipped += int64(l.Shipped)
		wanted += int64(l.Quantity - l.Cancelled)
	}
	return part(shipped, wanted)
}

// Balance is what the books say about the money of an order.
type Balance struct {
	OrderID ID
	// Kept is what the gateway should keep: the total without the refunds that the gateway has accepted. Money paid by other
	// means has not left the gateway.
	Kept money.Money
	// Owed is what the customer is owed: refunds that FAILED and that no other refund makes good.
	Owed money.Money
	// Unsettled is when the youngest refund that is not at rest last changed; zero when all are.
	Unsettled time.Time
	// Skipped are the refunds whose units an operator kept from the catalog.
	Skipped []RefundID
}

// Check reports an error for a request that can be booked for no order. It is a mistake of the caller: what a client sends
// is checked before.
func (r RefundRequest) Check() error {
	switch r.Kind {
	case Cancellation:
	case Return:
		if len(r.Items) == 0 {
			return errors.New("a RETURN needs items")
		}
	case Goodwill:
		if len(r.Items) > 0 || r.Amount.Amount <= 0 {
			return errors.New("a GOODWILL refund needs an amount, and has no items")
		}
	default:
		return fmt.Errorf("unknown kind %q", r.Kind)
	}
	if r.By != ByUser && r.By != ByOperator {
		return fmt.Errorf("unknown requester %q", r.By)
	}
	if r.Money != ThroughGateway && r.Money != ByOtherMeans && r.Money != NoMoney {
		return fmt.Errorf("unknown way of the money %q", r.Money)
	}
	if !r.Amount.IsZero() {
		if err := r.Amount.Validate(); err != nil {
			return err
		}
		if r.Amount.Amount == 0 || r.Money == NoMoney {
			return fmt.Errorf("the amount is %s, and the money %s", r.Amount, r.Money)
		}
	}
	if r.Hash == "" {
		return errors.New("the request has no hash")
	}
	seen := map[int]bool{}
	for _, it := range r.Items {
		if err := checkItem(seen, it.Line, it.Quantity); err != nil {
			return err
		}
		if it.Restock < 0 || it.Restock > it.Quantity {
			return fmt.Errorf("line %d: %d of %d units go back on sale", it.Line, it.Restock, it.Quantity)
		}
	}
	return nil
}

// WholeOrder reports whether the request asks for all that is left of the order.
func (r RefundRequest) WholeOrder() bool { return r.Kind == Cancellation && len(r.Items) == 0 }

// Check reports an error for a shipment that no order can have. It is a mistake of the caller.
func (r ShipmentRequest) Check() error {
	if len(r.Items) == 0 {
		return errors.New("a shipment needs items")
	}
	if r.Hash == "" {
		return errors.New("the request has no hash")
	}
	seen := map[int]bool{}
	for _, it := range r.Items {
		if err := checkItem(seen, it.Line, it.Quantity); err != nil {
			return err
		}
	}
	return nil
}

func checkItem(seen map[int]bool, line, quantity int) error {
	if line < 1 || line > MaxItems || seen[line] {
		return fmt.Errorf("line %d: not a line of an order, or named twice", line)
	}
	seen[line] = true
	if quantity < 1 || quantity > MaxQuantity {
		return fmt.Errorf("line %d: %d units", line, quantity)
	}
	return nil
}

// Check reports an error for an outcome that no refund can have. It is a mistake of the caller.
func (o RefundOutcome) Check() error {
	if o.Status.Rank() <= RefundBooked.Rank() {
		return fmt.Errorf("%q is not how a refund ends", o.Status)
	}
	return nil
}

// Why returns the cause of an outcome: nil for one that was accepted, and never nil for the others.
func (o RefundOutcome) Why() *RefundCause {
	switch {
	case o.Status != RefundRefused && o.Status != RefundFailed:
		return nil
	case o.Cause != nil:
		return o.Cause
	case o.Status == RefundRefused:
		return &RefundCause{Reason: GatewayRefused, Message: "the payment provider refused the refund", By: RefusedByGateway}
	}
	return &RefundCause{Reason: GatewayFailed, Message: "the payment provider could not pay the refund out", By: RefusedByGateway}
}

// OutsideRefundID returns the ID of a refund that was made at the gateway: a UUIDv8, always the same for the gateway's ID.
func OutsideRefundID(gatewayID string) RefundID {
	sum := sha256.Sum256([]byte("ordersaga/outside-refund/v1\x00" + gatewayID))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	x := hex.EncodeToString(sum[:16])
	return RefundID(x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:])
}

// RefusalsOfBooks are the causes for which the books refuse a refund, without what is left.
var RefusalsOfBooks = refusals(map[RefundReason]string{
	RefundTooLarge:    "more money than is left to give back",
	QuantityTooLarge:  "more units than are left to give back",
	NothingLeft:       "nothing is left to give back",
	OrderShipped:      "units that were shipped cannot be cancelled",
	OrderNotConfirmed: "the order is not confirmed",
	PaymentDisputed:   "the payment is disputed",
	NotReplaceable:    "the refund to replace did not fail, or was replaced already",
	CancelWindowOver:  "the time in which the order can be cancelled is over",
})

// RefusalsOfShipping are the causes for which the books refuse a shipment.
var RefusalsOfShipping = refusals(map[RefundReason]string{
	QuantityTooLarge:  "more units than are left to ship",
	OrderNotConfirmed: "the order is not confirmed",
})

func refusals(messages map[RefundReason]string) map[RefundReason]RefundCause {
	causes := map[RefundReason]RefundCause{}
	for reason, message := range messages {
		causes[reason] = RefundCause{Reason: reason, Message: message, By: RefusedByBooks}
	}
	return causes
}
