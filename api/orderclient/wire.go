package orderclient

import (
	"encoding/json"
	"fmt"
	"time"
)

// NewOrder is an order as a client asks for it. Without PaymentMethod, a reference of the payment gateway, the server's
// default is charged.
type NewOrder struct {
	UserID        int64  `json:"userId"`
	Items         []Item `json:"items"`
	PaymentMethod string `json:"paymentMethod,omitempty"`
}

// Item is a product and how many of it.
type Item struct {
	ProductID string `json:"productId"`
	Quantity  int    `json:"quantity"`
}

// Status is where an order stands. Pending is the only one that changes.
type Status string

// The statuses.
const (
	Pending   Status = "PENDING"
	Confirmed Status = "CONFIRMED"
	Failed    Status = "FAILED"    // it could not be completed
	Cancelled Status = "CANCELLED" // somebody asked
)

// Order is an order as the API shows it.
type Order struct {
	ID        string    `json:"id"`
	UserID    int64     `json:"userId"`
	Status    Status    `json:"status"`
	Items     []Line    `json:"items"`
	Total     *Money    `json:"total"`   // nil until it is priced
	Reason    string    `json:"reason"`  // why it ended, or will end, otherwise than confirmed
	Message   string    `json:"message"` // the same in words for the customer
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`

	ETag     string `json:"-"` // the version, for GetIfChanged; only from Place, Get and Cancel
	Replayed bool   `json:"-"` // Place: an earlier request with the same key had placed it
	SagaURL  string `json:"-"` // where to see its saga, if the server says so
}

// Line is an item with what the catalog said about it.
type Line struct {
	ProductID string `json:"productId"`
	Name      string `json:"name"`
	Quantity  int    `json:"quantity"`
	Price     *Money `json:"price"` // of one unit; nil until it is priced
}

// Money is an amount in minor units: cents of USD, whole JPY.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"` // ISO 4217
}

// Record is a line of an order's timeline.
type Record struct {
	Type   string    `json:"type"` // as in STEP_DONE
	At     time.Time `json:"at"`
	Step   string    `json:"step"`   // as in ReserveStock; empty for transitions of the order itself
	Detail string    `json:"detail"` // for operators only
}

// The types of problems that a caller may want to tell apart; GET /problems explains all that there are.
const (
	OutOfStock      = "/problems/out-of-stock"
	PaymentDeclined = "/problems/payment-declined"
	ProductNotFound = "/problems/product-not-found"
	MixedCurrencies = "/problems/mixed-currencies"
	OrderCancelled  = "/problems/order-cancelled"
	OrderTimedOut   = "/problems/order-timed-out"
	OrderConfirmed  = "/problems/order-confirmed"
	OrderNotFound   = "/problems/order-not-found"
	KeyReused       = "/problems/idempotency-key-reused"
	OutcomeUnknown  = "/problems/outcome-unknown"
	Unavailable     = "/problems/unavailable"
	TooMany         = "/problems/too-many-requests"
	Invalid         = "/problems/invalid-request"
	Unauthenticated = "/problems/unauthenticated"
	Forbidden       = "/problems/forbidden"
)

// Problem is an error answer (RFC 9457).
type Problem struct {
	Type     string  `json:"type"` // see the constants
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance"` // the request's ID: quote it when asking for help
	Errors   []Field `json:"errors"`   // what is wrong with the request

	OrderID     string     `json:"orderId"`     // the order that it is about, if any
	Reason      string     `json:"reason"`      // why that order ended
	DeclineCode string     `json:"declineCode"` // why the card was declined
	Shortages   []Shortage `json:"shortages"`   // what there is too little of
	ProductIDs  []string   `json:"productIds"`  // what the catalog does not know

	RetryAfter time.Duration `json:"-"` // when repeating makes sense; 0: the server did not say
}

// Field is one thing that is wrong with a request. One of Pointer (into the body), Parameter and Header says where.
type Field struct {
	Detail    string `json:"detail"`
	Pointer   string `json:"pointer"`
	Parameter string `json:"parameter"`
	Header    string `json:"header"`
}

// Shortage is a product of which there is less than was asked for.
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
		p = Problem{Type: "about:blank", Title: "not an answer of this API"} // of a proxy, perhaps
	}
	p.Status = status
	return &p
}
