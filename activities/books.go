package activities

import (
	"context"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Refunds is the store of refunds. Booking and shipping first lock the order's row, and sum in a statement of its own: a
// statement that locked and summed at once would sum what it saw before it waited. Each method is one guarded, repeatable
// transition, and returns the row as it then is. Entries are added to the order's timeline in the same transaction.
type Refunds interface {
	// Book decides whether there is a refund. It stores the request as BOOKED with the amount and the values of the lines
	// computed under the lock, or as REFUSED by the books and settled, with the cause. When there is already a row it changes
	// nothing and returns that row. It is order.ErrNotFound when there is no such order.
	Book(ctx context.Context, req order.RefundRequest) (order.Refund, error)
	// Fence makes sure that the refund can no longer be booked: without a row it stores the request as REFUSED with the
	// cause and settled. Otherwise it changes nothing.
	Fence(ctx context.Context, req order.RefundRequest, cause order.RefundCause) (order.Refund, error)
	// Settle records what the gateway said, if its status has a higher rank than the row's. REFUSED is taken only while the
	// row is BOOKED. A row that was REFUSED and turns out to have happened becomes late. No sum is checked: facts are never
	// guarded.
	Settle(ctx context.Context, id order.RefundID, outcome order.RefundOutcome) (order.Refund, error)
	// ReturnedUnits records that the catalog has the units (UnitsDone), or that an operator skipped that (UnitsSkipped).
	ReturnedUnits(ctx context.Context, id order.RefundID, units order.UnitsStatus) (order.Refund, error)
	// Finish marks the refund as settled if its version is still the one that was announced.
	Finish(ctx context.Context, id order.RefundID, version int64) (order.Refund, error)
}

// RefundGateway gives money back.
type RefundGateway interface {
	// RefundPart gives the refund's amount back once, however often it is called, and returns what the gateway says of it. A
	// refusal (REFUSED, with the cause) is a result, not an error, and is returned only when the gateway's list of refunds shows
	// none of this ID. Any error means broken: the refund may have happened.
	RefundPart(ctx context.Context, r order.Refund) (order.RefundOutcome, error)
	// FindRefund looks the refund up, without asking for it. found is false when the gateway has none of this ID.
	FindRefund(ctx context.Context, r order.Refund) (outcome order.RefundOutcome, found bool, err error)
}

// Returns takes units of a sold order back.
type Returns interface {
	// Return takes the units back once per refund. A repetition succeeds. Other lines under the same refund, or more units than
	// were sold and not returned, are errors that only a person can mend.
	Return(ctx context.Context, id order.ID, refund order.RefundID, lines []order.ReturnLine) error
}

// Shipments is the store of shipments, under the same lock as Refunds.
type Shipments interface {
	// Ship stores the shipment as SHIPPED, or as REFUSED by the books and settled when a line has fewer units that are neither
	// shipped nor cancelled, or the order is not CONFIRMED. When there is already a row it changes nothing and returns it.
	Ship(ctx context.Context, req order.ShipmentRequest) (order.Shipment, error)
	// FinishShipment marks the shipment as settled if its version is still the one that was announced.
	FinishShipment(ctx context.Context, id order.ShipmentID, version int64) (order.Shipment, error)
}
