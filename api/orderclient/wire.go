package orderclient

import (
	"encoding/json"
	"fmt"
	"time"
)

// The types below are the API's JSON, for the server and for this client alike. Their tags hold the rules that the server
// enforces; the descriptions for the OpenAPI document are in api/docs.go. Requests are closed: the server rejects members
// that it does not know. Responses are open (additionalProperties): a client must ignore members that it does not know.

// NewOrder asks for an order.
type NewOrder struct {
	UserID int64  `json:"userId" minimum:"1" maximum:"9007199254740991" example:"42"`
	Items  []Item `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
	// PaymentMethod is a reference of the payment gateway. The server charges its default when it is empty.
	PaymentMethod string `json:"paymentMethod,omitempty" pattern:"^pm_[A-Za-z0-9_]{1,250}$" example:"pm_card_visa"`
}

// Item is a product and a number of units.
type Item struct {
	ProductID string `json:"productId" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"mug-blue"`
	Quantity  int    `json:"quantity" minimum:"1" maximum:"10000" example:"2"`
}

// Status is the state of an order. Only Pending changes.
type Status string

// The statuses.
const (
	Pending   Status = "PENDING"
	Confirmed Status = "CONFIRMED"
	Failed    Status = "FAILED"    // the order could not be completed
	Cancelled Status = "CANCELLED" // a customer or an operator cancelled it
)

// Order is an order as the API shows it.
type Order struct {
	_         struct{}  `additionalProperties:"true"`
	ID        string    `json:"id" format:"uuid" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"`
	UserID    int64     `json:"userId" example:"42"`
	Status    Status    `json:"status" enum:"PENDING,CONFIRMED,FAILED,CANCELLED"`
	Items     []Line    `json:"items" nullable:"false"`
	Total     *Money    `json:"total,omitempty"`                         // nil until the order is priced
	Reason    string    `json:"reason,omitempty" example:"OUT_OF_STOCK"` // why the order fails or is cancelled
	Message   string    `json:"message,omitempty"`                       // the reason in words for the customer
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`

	// What happened to a CONFIRMED order since; empty for the others.
	Refunded   *Money `json:"refunded,omitempty"`                        // accepted refunds that did not fail; nil: none
	GivenBack  Part   `json:"givenBack,omitempty" enum:"NONE,PART,ALL"`  // of the total
	Fulfilment Part   `json:"fulfilment,omitempty" enum:"NONE,PART,ALL"` // shipped units, of those that were not cancelled

	// The client fills in the rest from headers of the response to Place, Get and Cancel.
	ETag     string `json:"-"` // the order's version, for GetIfChanged
	Replayed bool   `json:"-"` // an earlier request with the same key placed the order
	SagaURL  string `json:"-"` // a page that shows the order's saga, if the server has one
	RefundID string `json:"-"` // after Cancel of a confirmed order: the refund of what was left of it
}

// Part says how much of something has happened.
type Part string

// The parts.
const (
	PartNone Part = "NONE"
	PartSome Part = "PART"
	PartAll  Part = "ALL"
)

// Line is an item with its name and price from the catalog.
type Line struct {
	_         struct{} `additionalProperties:"true"`
	ProductID string   `json:"productId" example:"mug-blue"`
	Name      string   `json:"name,omitempty" example:"Blue mug"` // empty until the order is priced
	Quantity  int      `json:"quantity" example:"2"`
	Price     *Money   `json:"price,omitempty"`                 // of one unit; nil until the order is priced
	Returned  int      `json:"returned,omitempty" example:"1"`  // units that were given back
	Shipped   int      `json:"shipped,omitempty" example:"2"`   // units that were handed to a carrier
	Delivered int      `json:"delivered,omitempty" example:"2"` // units of them that have arrived
}

// Money is an amount in minor units of a currency: cents of USD, whole JPY.
type Money struct {
	_        struct{} `additionalProperties:"true"`
	Amount   int64    `json:"amount" example:"1299"`
	Currency string   `json:"currency" example:"USD"` // ISO 4217
}

// OrderPage is a page of a list of orders, newest first.
type OrderPage struct {
	_      struct{} `additionalProperties:"true"`
	Orders []Order  `json:"orders" nullable:"false"`
	Next   string   `json:"next,omitempty"` // the cursor of the next page; empty on the last one
}

// Timeline is what happened to an order, oldest entry first.
type Timeline struct {
	_       struct{} `additionalProperties:"true"`
	OrderID string   `json:"orderId" format:"uuid"`
	Entries []Entry  `json:"entries" nullable:"false"`
}

// Entry is a timeline entry: a step, an undo, a change of the order's status or an operator's command.
type Entry struct {
	_      struct{}  `additionalProperties:"true"`
	Type   string    `json:"type" example:"STEP_DONE"`
	At     time.Time `json:"at"`
	Step   string    `json:"step,omitempty" example:"ReserveStock"` // empty for changes of the order's status
	Detail string    `json:"detail,omitempty"`                      // only operators see it
}

// CancelOrder asks to cancel an order.
type CancelOrder struct {
	Reason string `json:"reason,omitempty" minLength:"1" maxLength:"120" format:"line" example:"ordered twice"`
}

// The types of problems that a caller may want to tell apart. GET /problems explains every type.
const (
	OutOfStock        = "/problems/out-of-stock"
	PaymentDeclined   = "/problems/payment-declined"
	ProductNotFound   = "/problems/product-not-found"
	MixedCurrencies   = "/problems/mixed-currencies"
	OrderCancelled    = "/problems/order-cancelled"
	OrderTimedOut     = "/problems/order-timed-out"
	OrderNotFound     = "/problems/order-not-found"
	OrderNotConfirmed = "/problems/order-not-confirmed"
	OrderShipped      = "/problems/order-shipped"
	CancelWindowOver  = "/problems/cancel-window-over"
	RefundNotFound    = "/problems/refund-not-found"
	RefundTooLarge    = "/problems/refund-too-large"
	QuantityTooLarge  = "/problems/quantity-too-large"
	NothingLeft       = "/problems/nothing-left"
	NotReplaceable    = "/problems/not-replaceable"
	PaymentDisputed   = "/problems/payment-disputed"
	RefundRefusal     = "/problems/refund-refused"
	KeyReused         = "/problems/idempotency-key-reused"
	OutcomeUnknown    = "/problems/outcome-unknown"
	Unavailable       = "/problems/unavailable"
	TooMany           = "/problems/too-many-requests"
	Invalid           = "/problems/invalid-request"
	Unauthenticated   = "/problems/unauthenticated"
	Forbidden         = "/problems/forbidden"
)

// Problem is an error response (RFC 9457).
type Problem struct {
	Type     string  `json:"type"` // see the constants
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"` // the request's ID: quote it when asking for help
	Errors   []Field `json:"errors"`   // what is wrong with the request

	OrderID     string     `json:"orderId"`     // the order concerned, if any
	Reason      string     `json:"reason"`      // why that order ended, or the refund was refused
	DeclineCode string     `json:"declineCode"` // why the card was declined
	Shortages   []Shortage `json:"shortages"`   // products with too few units in stock
	ProductIDs  []string   `json:"productIds"`  // products that the catalog does not know
	RefundID    string     `json:"refundId"`    // the refund concerned, if any
	Left        *Money     `json:"left"`        // RefundTooLarge: what could be given back
	Lines       []LineLeft `json:"lines"`       // QuantityTooLarge, OrderShipped: the lines that ask for too much

	RetryAfter time.Duration `json:"-"` // how long to wait before a repeat; 0: the server did not say
}

// Field is one mistake in a request. One of Pointer (into the body), Parameter and Header says where it is.
type Field struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Header    string `json:"header"`
}

// Shortage is a product with fewer units in stock than requested.
type Shortage struct {
	ProductID string `json:"productId"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

// repeatable reports whether the same request may succeed later.
func (p *Problem) repeatable() bool {
	return p.Status == 429 || p.Status == 503 || p.Status == 502 || p.Status == 504
}

func problemOf(status int, body []byte) *Problem {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Type == "" {
		p = Problem{Type: "about:blank", Title: "not a response of this API"} // perhaps a proxy's
	}
	p.Status = status
	return &p
}
