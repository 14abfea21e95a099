// Package order is the domain: what an order is, which statuses it goes through, why it may fail or be cancelled, and which
// events announce it. It does no I/O and imports only the standard library and money.
package order

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// ErrNotFound is returned by stores that do not know an order.
var ErrNotFound = errors.New("order not found")

// ErrConflict is returned by stores for a change that contradicts one that was made.
var ErrConflict = errors.New("it has already ended differently")

// Limits of what a client may ask for. The API rejects more; the database defends the same bounds.
const (
	MaxItems    = 100
	MaxQuantity = 10_000
)

// ID identifies an order in every system it touches: the row, the workflow ("order-" + ID), the reservation, the
// payment's idempotency keys and the messages. It is a UUID in its canonical lower-case text form.
type ID string

// ParseID checks that s is a UUID in canonical text form.
func ParseID(s string) (ID, error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return "", fmt.Errorf("order ID %q: not a UUID", s)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	raw, err := hex.DecodeString(digits)
	if err != nil || hex.EncodeToString(raw) != digits {
		return "", fmt.Errorf("order ID %q: not a UUID in lower case", s)
	}
	return ID(s), nil
}

// WorkflowID is the ID of the order's CreateOrder workflow.
func (id ID) WorkflowID() string { return "order-" + string(id) }

// RecoveryID is the ID of the workflow that finishes the order when its CreateOrder workflow was terminated or failed.
func (id ID) RecoveryID() string { return "recover-" + id.WorkflowID() }

// Status is where an order stands. PENDING is the only status that changes; the other three are final.
type Status string

// The statuses.
const (
	Pending   Status = "PENDING"
	Confirmed Status = "CONFIRMED"
	Failed    Status = "FAILED"    // the saga could not complete
	Cancelled Status = "CANCELLED" // the customer or the shop asked
)

// Final reports whether the status never changes again.
func (s Status) Final() bool { return s == Confirmed || s == Failed || s == Cancelled }

// Item is what a client asks for: a product and how many of it.
type Item struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// Line is an item with what the catalog said about it. Name and Price are zero until the order is priced.
type Line struct {
	ProductID string      `json:"productId"`
	Name      string      `json:"name,omitempty"`
	Quantity  int         `json:"quantity"`
	Price     money.Money `json:"price,omitzero"` // of one unit
	// PriceSeen marks a price that is the last known one, because the catalog could not be asked: when it was seen. It
	// stays in the workflow's history; the stored order does not have it.
	PriceSeen time.Time `json:"priceSeen,omitzero"`
	// The units of a confirmed order's line that moved since, as its refunds and shipments say: Returned counts those that
	// were given back, and Cancelled those of them that had not been shipped. Stores compute them when the order is read.
	Returned  int `json:"returned,omitempty"`
	Cancelled int `json:"cancelled,omitempty"`
	Shipped   int `json:"shipped,omitempty"` // also delivered and lost ones
	Delivered int `json:"delivered,omitempty"`
}

// Items strips lines down to what was asked for.
func Items(lines []Line) []Item {
	items := make([]Item, len(lines))
	for i, l := range lines {
		items[i] = Item{ProductID: l.ProductID, Quantity: l.Quantity}
	}
	return items
}

// Unpriced turns items into lines without a price.
func Unpriced(items []Item) []Line {
	lines := make([]Line, len(items))
	for i, it := range items {
		lines[i] = Line{ProductID: it.ProductID, Quantity: it.Quantity}
	}
	return lines
}

// Request is an order as it was asked for: the input of the CreateOrder workflow. Its JSON is part of recorded
// histories, so fields are only ever added.
type Request struct {
	ID            ID     `json:"id"`
	UserID        int64  `json:"userId"`
	Items         []Item `json:"items"`
	PaymentMethod string `json:"paymentMethod"`
	// Hash is the hex SHA-256 of what the client sent; it tells a retry from another order under the same key.
	Hash string `json:"hash"`
	// CreatedAt is when the order was placed, by the clock of the api: the row has the same time, whenever it is written. Zero
	// in a request that an operator made; the workflow's start then counts.
	CreatedAt time.Time `json:"createdAt,omitzero"`
}

// TimeResolution is the resolution of the times of orders, which is the store's.
const TimeResolution = time.Microsecond

// Order is an order as it is stored. Its JSON is part of recorded histories.
type Order struct {
	ID            ID          `json:"id"`
	UserID        int64       `json:"userId"`
	Status        Status      `json:"status"`
	Closing       bool        `json:"closing,omitempty"` // fenced: it will end as Cause.Reason says, and its undos run
	Items         []Line      `json:"items"`
	Total         money.Money `json:"total,omitzero"` // zero until priced
	PaymentMethod string      `json:"paymentMethod"`
	PaymentID     string      `json:"paymentId,omitempty"` // the gateway's ID of the payment; known once confirmed
	Hash          string      `json:"hash"`
	Cause         *Cause      `json:"cause,omitempty"` // why it is closing, FAILED or CANCELLED
	Version       int64       `json:"version"`         // grows with every change
	CreatedAt     time.Time   `json:"createdAt"`       // when it was placed
	UpdatedAt     time.Time   `json:"updatedAt"`
	// What happened to a confirmed order since. Stores compute these when the order is read; transitions leave them zero.
	Refunded     money.Money `json:"refunded,omitzero"`      // what was given back: refunds that were accepted and did not fail
	BooksVersion int64       `json:"booksVersion,omitempty"` // grows with every change of a refund or shipment of the order
}

// Reason returns why the order is closing, failed or was cancelled, or "" when it is not.
func (o Order) Reason() Reason {
	if o.Cause == nil {
		return ""
	}
	return o.Cause.Reason
}

// Payment returns what is charged for the order.
func (o Order) Payment() Payment {
	return Payment{OrderID: o.ID, Amount: o.Total, Method: o.PaymentMethod, OrderedAt: o.CreatedAt}
}

// Priced reports whether the order has prices. A stored order has them or not, for all lines and its total alike.
func (o Order) Priced() bool { return !o.Total.IsZero() }

// Decided reports whether the order's end is known: it is final, or fenced so that it can only end as its cause says.
func (o Order) Decided() bool { return o.Status.Final() || o.Closing }

// Request returns the request that the order was made from.
func (o Order) Request() Request {
	return Request{ID: o.ID, UserID: o.UserID, Items: Items(o.Items), PaymentMethod: o.PaymentMethod, Hash: o.Hash,
		CreatedAt: o.CreatedAt}
}

// Payment is what the saga asks the gateway to charge, or to give back. Replaying a call at the gateway needs the very same
// parameters, so all of them are stored with the order.
type Payment struct {
	OrderID   ID          `json:"orderId"`
	Amount    money.Money `json:"amount"`
	Method    string      `json:"method"`    // the gateway's reference, for example pm_card_visa; never a card number
	OrderedAt time.Time   `json:"orderedAt"` // tells whether the gateway still remembers idempotency keys
}

// Total sums the lines. It returns a *Refusal (MIXED_CURRENCIES, INVALID_AMOUNT) when they have no chargeable sum.
func Total(lines []Line) (money.Money, error) {
	var total money.Money
	for _, l := range lines {
		sum, err := l.Price.Times(l.Quantity)
		if err == nil {
			total, err = total.Plus(sum)
		}
		if errors.Is(err, money.ErrCurrencyMismatch) {
			return money.Money{}, Refuse(MixedCurrencies, "the items are priced in different currencies")
		}
		if err != nil {
			return money.Money{}, Refuse(InvalidAmount, "the total of the order is too large")
		}
	}
	if total.Amount <= 0 {
		return money.Money{}, Refuse(InvalidAmount, "the total of the order is zero")
	}
	return total, nil
}

// CheckPrices reports an error unless the order has no prices at all, or every line has one and Total is their sum.
func (o Order) CheckPrices() error {
	if !slices.ContainsFunc(o.Items, func(l Line) bool { return !l.Price.IsZero() }) && !o.Priced() {
		return nil
	}
	return o.CheckTotal()
}

// CheckTotal reports an error unless every line has a price and Total is their sum.
func (o Order) CheckTotal() error {
	for i, l := range o.Items {
		if l.Price.IsZero() {
			return fmt.Errorf("line %d (product %q) has no price", i+1, l.ProductID)
		}
	}
	sum, err := Total(o.Items)
	if err != nil {
		return err
	}
	if sum != o.Total {
		return fmt.Errorf("the total is %s, but the lines add up to %s", o.Total, sum)
	}
	return nil
}
