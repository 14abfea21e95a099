// Package activities holds the steps of the order saga and their undos. Each touches one outside system and is safe to
// run twice; its comment says why. They reach the systems through the interfaces declared here, which hold only the methods
// called here.
//
// Adapters return errors in the domain's terms: a *order.Refusal is a final no, and every other error means broken.
// errors.go translates both for Temporal, in one place.
package activities

import (
	"context"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Catalog prices items and keeps the stock.
type Catalog interface {
	// PriceItems returns one priced line per item, in the items' order. Unknown products are refused
	// (PRODUCT_NOT_FOUND, naming all of them).
	PriceItems(ctx context.Context, items []order.Item) ([]order.Line, error)
	// Reserve holds all items for the order until expiresAt, or none. A repetition returns what the first call did.
	// Refused when stock is short (OUT_OF_STOCK, naming every short product) or when the hold was already released or
	// has expired (RESERVATION_LOST).
	Reserve(ctx context.Context, id order.ID, items []order.Item, expiresAt time.Time) error
	// Commit turns the order's hold into a sale. A repetition succeeds. Refused when the hold has expired or was
	// released (RESERVATION_LOST).
	Commit(ctx context.Context, id order.ID) error
	// Release gives back what the order holds or has bought. It leaves a tombstone that refuses any later Reserve of the
	// same order, even when there was nothing to release. A repetition succeeds. The caller has fenced the order.
	Release(ctx context.Context, id order.ID) error
}

// Payments charges customers and gives the money back.
type Payments interface {
	// Chargeable reports, without calling the gateway, whether the amount could ever be charged. Refused (INVALID_AMOUNT)
	// when not, for example for a currency that the gateway does not know.
	Chargeable(total money.Money) error
	// Charge takes the payment once, however often it is called, and returns the gateway's ID of the payment. Refused when the
	// gateway declines for good (PAYMENT_DECLINED) or the payment was cancelled by a Refund.
	Charge(ctx context.Context, p order.Payment) (paymentID string, err error)
	// Refund makes sure that no money is kept for the payment, now or later: it cancels a payment that has not
	// succeeded, so that a late Charge is refused, and refunds one that has. A repetition succeeds.
	Refund(ctx context.Context, p order.Payment) error
}

// Orders is the store that decides how orders end. Each method is one guarded, repeatable transition.
type Orders interface {
	// Create stores the order as PENDING with its priced lines. When there is already a row it changes nothing and
	// returns that row, whatever its status: a re-run keeps the first prices.
	Create(ctx context.Context, o order.Order) (order.Order, error)
	// Confirm makes a PENDING order CONFIRMED unless it is closing, and returns the row as it then is. The caller reads
	// from the row whether the pivot has happened.
	Confirm(ctx context.Context, id order.ID, paymentID string, entries []order.Entry) (order.Order, error)
	// Close is the fence before any undo: it marks a PENDING order as closing with the cause, keeping the first
	// cause; without a row it inserts one that is PENDING and closing; otherwise it changes nothing. It returns the
	// row as it then is.
	Close(ctx context.Context, req order.Request, cause order.Cause, entries []order.Entry) (order.Order, error)
	// Finish makes a closing order FAILED or CANCELLED, as its cause says, and returns the row as it then is.
	Finish(ctx context.Context, id order.ID, entries []order.Entry) (order.Order, error)
	// AppendTimeline adds an entry to the order's timeline, once under its key, whatever the order's status.
	AppendTimeline(ctx context.Context, id order.ID, key string, e order.Entry) error
}

// Events announces how orders ended.
type Events interface {
	// Publish returns only when the broker has taken responsibility for the event. Publishing the same event again is
	// harmless: its message ID is the same.
	Publish(ctx context.Context, e order.Event) error
}

// Alerts tells operators.
type Alerts interface {
	// SendAlert returns once the broker has taken responsibility for the alert. Sending the same one again is harmless: its
	// message ID is the same.
	SendAlert(ctx context.Context, a order.Alert) error
}

// Activities are the steps, over the outside systems. All fields must be set.
type Activities struct {
	Catalog  Catalog
	Payments Payments
	Orders   Orders
	Events   Events
	Alerts   Alerts
}
