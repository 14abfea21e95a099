package order

import (
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// RefundID identifies a refund in every system that it touches: the row, the workflow ("refund-" + ID), the gateway's
// idempotency keys and metadata, the catalog's return and the messages. It is a UUID in its canonical lower-case text form.
type RefundID string

// WorkflowID is the ID of the workflow that carries the refund out.
func (id RefundID) WorkflowID() string { return "refund-" + string(id) }

// RefundKind says what a refund is for.
type RefundKind string

// The kinds of refunds.
const (
	Cancellation RefundKind = "CANCELLATION" // units that were never shipped, or the whole order
	Return       RefundKind = "RETURN"       // units that came back
	Goodwill     RefundKind = "GOODWILL"     // an amount, without units
	Outside      RefundKind = "OUTSIDE"      // made at the gateway, not by us
)

// Requester says who asked for a refund.
type Requester string

// Who asks for refunds.
const (
	ByUser     Requester = "USER"
	ByOperator Requester = "OPERATOR"
	ByGateway  Requester = "GATEWAY" // the refund was found at the gateway
)

// RefundMoney says how the customer gets the money.
type RefundMoney string

// The ways of the money.
const (
	ThroughGateway RefundMoney = "GATEWAY" // back to the payment
	ByOtherMeans   RefundMoney = "OTHER"   // paid in another way: cash, a bank transfer, a voucher
	NoMoney        RefundMoney = "NONE"    // units only
)

// RefundStatus is where a refund stands. It only climbs: see Rank.
type RefundStatus string

// The statuses of a refund, in the order of their ranks.
const (
	RefundBooked    RefundStatus = "BOOKED"    // decided; the gateway may know of it or not
	RefundRefused   RefundStatus = "REFUSED"   // by the books, the gateway or an operator: no money moved
	RefundPending   RefundStatus = "PENDING"   // the gateway has accepted it
	RefundSucceeded RefundStatus = "SUCCEEDED" // the money is on its way to the customer
	RefundFailed    RefundStatus = "FAILED"    // the gateway had accepted it, and the money came back: the customer is owed it
)

// Rank orders the statuses. A refund changes only to a status of a higher rank, so a stale look-up changes nothing. 0 means
// an unknown status.
func (s RefundStatus) Rank() int {
	switch s {
	case RefundBooked:
		return 1
	case RefundRefused:
		return 2
	case RefundPending:
		return 3
	case RefundSucceeded:
		return 4
	case RefundFailed:
		return 5
	}
	return 0
}

// Accepted reports whether the gateway has, or had, the refund.
func (s RefundStatus) Accepted() bool { return s.Rank() >= RefundPending.Rank() }

// UnitsStatus says what became of a refund's units in the catalog.
type UnitsStatus string

// What became of the units.
const (
	UnitsNone    UnitsStatus = "NONE" // the refund has no units, or was refused
	UnitsDue     UnitsStatus = "DUE"
	UnitsDone    UnitsStatus = "DONE"
	UnitsSkipped UnitsStatus = "SKIPPED" // an operator skipped the step
)

// RefundReason says why a refund was refused or failed.
type RefundReason string

// The reasons. Those of the books come with what is left.
const (
	RefundTooLarge    RefundReason = "REFUND_TOO_LARGE"    // books: more money than is left
	QuantityTooLarge  RefundReason = "QUANTITY_TOO_LARGE"  // books: more units than are left
	NothingLeft       RefundReason = "NOTHING_LEFT"        // books: all of it was given back
	OrderShipped      RefundReason = "ORDER_SHIPPED"       // books: a cancellation of shipped units
	OrderNotConfirmed RefundReason = "ORDER_NOT_CONFIRMED" // books
	PaymentDisputed   RefundReason = "PAYMENT_DISPUTED"    // books and gateway: an open or lost dispute
	NotReplaceable    RefundReason = "NOT_REPLACEABLE"     // books: replaces names no FAILED refund of the order, or a replaced one
	CancelWindowOver  RefundReason = "CANCEL_WINDOW_OVER"  // books: too long since the order was confirmed
	RefundWithdrawn   RefundReason = "CANCELLED"           // fenced before it was booked
	RefundInterrupted RefundReason = "INTERRUPTED"         // recovery found no row
	GatewayRefused    RefundReason = "GATEWAY_REFUSED"     // gateway: not refundable, for good
	AlreadyRefunded   RefundReason = "ALREADY_REFUNDED"    // gateway
	GatewayFailed     RefundReason = "GATEWAY_FAILED"      // gateway: accepted it, and later could not pay it out
	RefundGivenUp     RefundReason = "GIVEN_UP"            // operator: asked no more
)

// Refuser says who said no to a refund.
type Refuser string

// Who says no.
const (
	RefusedByBooks    Refuser = "BOOKS"
	RefusedByGateway  Refuser = "GATEWAY"
	RefusedByOperator Refuser = "OPERATOR"
)

// RefundCause says why a refund was refused or failed. Its JSON is stored with the refund and part of recorded histories.
type RefundCause struct {
	Reason  RefundReason `json:"reason"`
	Message string       `json:"message"` // for the customer and the operator
	By      Refuser      `json:"by"`
	Left    *money.Money `json:"left,omitempty"`  // REFUND_TOO_LARGE: what could be given back
	Lines   []LineLeft   `json:"lines,omitempty"` // QUANTITY_TOO_LARGE, ORDER_SHIPPED: every line that asks for too much
}

// LineLeft is a line that has fewer units left than were asked for.
type LineLeft struct {
	Line  int `json:"line"` // counts from 1
	Asked int `json:"asked"`
	Left  int `json:"left"`
}

// RefundItem is what a request asks of a line of the order.
type RefundItem struct {
	Line     int `json:"line"` // counts from 1
	Quantity int `json:"quantity"`
	Restock  int `json:"restock"` // 0 to Quantity; the rest is written off
}

// RefundRequest is a refund as it was asked for: the input of the RefundOrder workflow. Its JSON is part of recorded histories.
type RefundRequest struct {
	ID      RefundID     `json:"id"`
	OrderID ID           `json:"orderId"`
	Kind    RefundKind   `json:"kind"`
	By      Requester    `json:"by"`
	Subject string       `json:"subject,omitempty"` // the token's subject, when there is one
	Money   RefundMoney  `json:"money"`
	Items   []RefundItem `json:"items,omitempty"` // a CANCELLATION without items is all that is left
	// Amount is zero when it follows from the items, or from what is left.
	Amount   money.Money `json:"amount,omitzero"`
	Replaces RefundID    `json:"replaces,omitempty"` // the FAILED refund that this one makes good
	Reason   string      `json:"reason,omitempty"`   // for operators
	Message  string      `json:"message,omitempty"`  // for the customer
	// Hash is the hex SHA-256 of what the client sent; it tells a retry from another request under the same key.
	Hash string `json:"hash"`
	// ConfirmedSince is the earliest time at which the order may have been confirmed, for a customer's cancellation under a
	// cancel window; zero without one. It is fixed when the request is made, so that a repetition decides alike.
	ConfirmedSince time.Time `json:"confirmedSince,omitzero"`
}

// RefundLine is what a refund takes back of a line of the order. It never changes.
type RefundLine struct {
	Line      int         `json:"line"` // of the order; counts from 1
	ProductID string      `json:"productId"`
	Name      string      `json:"name"`
	Quantity  int         `json:"quantity"`
	Restock   int         `json:"restock"`
	Value     money.Money `json:"value"` // its share of the line
}

// Refund is a refund as it is stored.
type Refund struct {
	ID         RefundID     `json:"id"`
	OrderID    ID           `json:"orderId"`
	UserID     int64        `json:"userId"` // the order's
	Kind       RefundKind   `json:"kind"`
	By         Requester    `json:"by"`
	Subject    string       `json:"subject,omitempty"`
	Money      RefundMoney  `json:"money"`
	Amount     money.Money  `json:"amount"` // its currency is the order's; 0 when no money moves
	Status     RefundStatus `json:"status"`
	Late       bool         `json:"late,omitempty"` // it was REFUSED, and had happened
	Cause      *RefundCause `json:"cause,omitempty"`
	Lines      []RefundLine `json:"lines,omitempty"`
	PaymentID  string       `json:"paymentId"` // the order's
	OrderedAt  time.Time    `json:"orderedAt"`
	GatewayID  string       `json:"gatewayId,omitempty"` // the gateway's ID of the refund, once known
	Reason     string       `json:"reason,omitempty"`
	Message    string       `json:"message,omitempty"`
	Hash       string       `json:"hash"`
	Replaces   RefundID     `json:"replaces,omitempty"`
	Units      UnitsStatus  `json:"units"`
	Settled    bool         `json:"settled"` // at rest: units moved and announced
	Version    int64        `json:"version"` // grows with every change
	CreatedAt  time.Time    `json:"createdAt"`
	AcceptedAt time.Time    `json:"acceptedAt,omitzero"`
	RefusedAt  time.Time    `json:"refusedAt,omitzero"`
	FailedAt   time.Time    `json:"failedAt,omitzero"`
	UpdatedAt  time.Time    `json:"updatedAt"`
}

// RefusedByBooks reports whether the books refused the refund. Its requester has been told, and nothing else happened.
func (r Refund) RefusedByBooks() bool {
	return r.Status == RefundRefused && r.Cause != nil && r.Cause.By == RefusedByBooks
}

// Returns is what the catalog takes back for the refund, one line per product.
func (r Refund) Returns() []ReturnLine {
	var lines []ReturnLine
	at := map[string]int{}
	for _, l := range r.Lines {
		i, known := at[l.ProductID]
		if !known {
			i = len(lines)
			at[l.ProductID] = i
			lines = append(lines, ReturnLine{ProductID: l.ProductID})
		}
		lines[i].Quantity += l.Quantity
		lines[i].WriteOff += l.Quantity - l.Restock
	}
	return lines
}

// ReturnLine is what the catalog takes back of a product.
type ReturnLine struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
	WriteOff  int    `json:"writeOff"` // 0 to Quantity: units that do not go back on sale
}

// GatewayRefund is a refund as the gateway has it, also one that was made without us.
type GatewayRefund struct {
	ID        string       `json:"id"`
	PaymentID string       `json:"paymentId"`
	OrderID   ID           `json:"orderId,omitempty"`  // from its metadata; "" when it was not made by us
	RefundID  RefundID     `json:"refundId,omitempty"` // from its metadata; "" when it was not made by us
	Status    RefundStatus `json:"status"`             // PENDING, SUCCEEDED or FAILED
	Amount    money.Money  `json:"amount"`
	Failure   string       `json:"failure,omitempty"` // the gateway's code of why it failed, which the customer may know
	CreatedAt time.Time    `json:"createdAt"`
}

// RefundOutcome is what the gateway said about a refund: the refund as it has it, or a final no.
type RefundOutcome struct {
	Status    RefundStatus `json:"status"` // REFUSED, PENDING, SUCCEEDED or FAILED
	GatewayID string       `json:"gatewayId,omitempty"`
	Cause     *RefundCause `json:"cause,omitempty"` // of REFUSED and FAILED
}

// Dispute is a payment that the customer's bank has taken back, or may take back.
type Dispute struct {
	ID        string      `json:"id"` // the gateway's
	OrderID   ID          `json:"orderId"`
	PaymentID string      `json:"paymentId"`
	Amount    money.Money `json:"amount"`
	Status    string      `json:"status"` // the gateway's word
	Reason    string      `json:"reason"`
	Closed    bool        `json:"closed"` // never opens again
	Lost      bool        `json:"lost"`
	OpenedAt  time.Time   `json:"openedAt"`
	ClosedAt  time.Time   `json:"closedAt,omitzero"`
}

// Request returns the request that the refund was made from, as far as bringing it to rest needs it.
func (r Refund) Request() RefundRequest {
	return RefundRequest{
		ID: r.ID, OrderID: r.OrderID, Kind: r.Kind, By: r.By, Subject: r.Subject, Money: r.Money, Amount: r.Amount,
		Replaces: r.Replaces, Reason: r.Reason, Message: r.Message, Hash: r.Hash,
	}
}

// Outcome is what a refund's row records of it.
func (g GatewayRefund) Outcome() RefundOutcome {
	o := RefundOutcome{Status: g.Status, GatewayID: g.ID}
	if g.Status == RefundFailed {
		o.Cause = &RefundCause{Reason: GatewayFailed, By: RefusedByGateway, Message: "the money could not be paid out and came back"}
		if g.Failure != "" {
			o.Cause.Message += " (" + g.Failure + ")"
		}
	}
	return o
}
