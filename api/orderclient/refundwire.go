package orderclient

import "time"

// RefundKind says what a refund is for.
type RefundKind string

// The kinds of refunds. The server makes Outside ones by itself; they cannot be asked for.
const (
	Cancellation RefundKind = "CANCELLATION" // units that were never shipped, or the whole order
	Return       RefundKind = "RETURN"       // units that came back
	Goodwill     RefundKind = "GOODWILL"     // an amount, without units
	Outside      RefundKind = "OUTSIDE"      // made at the payment gateway
)

// RefundMoney says how the customer gets the money.
type RefundMoney string

// The ways of the money.
const (
	ThroughGateway RefundMoney = "GATEWAY" // back to the payment
	ByOtherMeans   RefundMoney = "OTHER"   // paid in another way
	NoMoney        RefundMoney = "NONE"    // units only
)

// RefundStatus is the state of a refund.
type RefundStatus string

// The statuses. A refund goes through them in this order and may leave some out. A REFUSED refund changes only if it turns
// out later that the money has moved all the same.
const (
	RefundRequested RefundStatus = "REQUESTED" // accepted; the books have not decided yet
	RefundBooked    RefundStatus = "BOOKED"    // its money and units are set aside; the gateway is being asked
	RefundRefused   RefundStatus = "REFUSED"   // no money moved
	RefundPending   RefundStatus = "PENDING"   // the gateway has accepted it
	RefundSucceeded RefundStatus = "SUCCEEDED" // the money is on its way to the customer
	RefundFailed    RefundStatus = "FAILED"    // accepted, but the money came back: the customer is owed it
)

// NewRefund asks for a refund of a confirmed order.
type NewRefund struct {
	Kind     RefundKind    `json:"kind" enum:"RETURN,GOODWILL,CANCELLATION" example:"RETURN"`
	Lines    []RefundItem  `json:"lines,omitempty" minItems:"1" maxItems:"100" nullable:"false"`
	Amount   *RefundAmount `json:"amount,omitempty"`
	Money    RefundMoney   `json:"money,omitempty" enum:"GATEWAY,OTHER,NONE" example:"GATEWAY"`
	Replaces string        `json:"replaces,omitempty" pattern:"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" example:"5d7f7a52-9c1e-8b3a-a1b2-0f7f2f3c1a2b"`
	Reason   string        `json:"reason,omitempty" minLength:"1" maxLength:"120" format:"line" example:"RMA 1042"`
	Message  string        `json:"message,omitempty" minLength:"1" maxLength:"500" format:"line" example:"Sorry about the chip."`
}

// RefundItem asks for units of a line of the order.
type RefundItem struct {
	Line     int  `json:"line" minimum:"1" maximum:"100" example:"1"` // counts from 1
	Quantity int  `json:"quantity" minimum:"1" maximum:"10000" example:"1"`
	Restock  *int `json:"restock,omitempty" minimum:"0" maximum:"10000" nullable:"false" example:"1"` // nil: all of them
}

// RefundAmount is an amount in minor units of the order's currency.
type RefundAmount struct {
	Amount   int64  `json:"amount" minimum:"1" maximum:"9007199254740991" example:"1299"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" example:"USD"`
}

// Refund is a refund as the API shows it.
type Refund struct {
	_          struct{}     `additionalProperties:"true"`
	ID         string       `json:"id" format:"uuid" example:"5d7f7a52-9c1e-8b3a-a1b2-0f7f2f3c1a2b"`
	OrderID    string       `json:"orderId" format:"uuid" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"`
	Status     RefundStatus `json:"status" enum:"REQUESTED,BOOKED,REFUSED,PENDING,SUCCEEDED,FAILED"`
	Kind       RefundKind   `json:"kind" enum:"RETURN,GOODWILL,CANCELLATION,OUTSIDE"`
	Money      RefundMoney  `json:"money" enum:"GATEWAY,OTHER,NONE"`
	Amount     *Money       `json:"amount,omitempty"` // nil while REQUESTED
	Lines      []RefundLine `json:"lines" nullable:"false"`
	Message    string       `json:"message,omitempty"`                         // for the customer
	Reason     string       `json:"reason,omitempty" example:"GATEWAY_FAILED"` // why it was REFUSED or FAILED
	CreatedAt  *time.Time   `json:"createdAt,omitempty" nullable:"false"`      // nil while REQUESTED
	AcceptedAt *time.Time   `json:"acceptedAt,omitempty" nullable:"false"`     // when the gateway accepted it
	EndedAt    *time.Time   `json:"endedAt,omitempty" nullable:"false"`        // when it was REFUSED or FAILED
	Operator   *RefundTrail `json:"operator,omitempty" nullable:"false"`       // only operators see it

	Replayed bool `json:"-"` // an earlier request with the same key asked for the refund
}

// RefundLine is what a refund takes back of a line of the order.
type RefundLine struct {
	_         struct{} `additionalProperties:"true"`
	Line      int      `json:"line" example:"1"` // counts from 1
	ProductID string   `json:"productId" example:"mug-blue"`
	Quantity  int      `json:"quantity" example:"1"`
	Restock   int      `json:"restock" example:"1"` // units that go back on sale; the rest is written off
	Value     *Money   `json:"value,omitempty"`     // its share of the line
}

// RefundTrail is what only operators see of a refund.
type RefundTrail struct {
	_           struct{} `additionalProperties:"true"`
	RequestedBy string   `json:"requestedBy" enum:"USER,OPERATOR,GATEWAY"`
	Subject     string   `json:"subject,omitempty"` // of the token that asked for it
	Reason      string   `json:"reason,omitempty"`  // the requester's, internal
	GatewayID   string   `json:"gatewayId,omitempty" example:"re_3Px"`
	Replaces    string   `json:"replaces,omitempty"` // the FAILED refund that this one makes good
	RefusedBy   string   `json:"refusedBy,omitempty" example:"GATEWAY"`
	Explanation string   `json:"explanation,omitempty"` // the reason why it was REFUSED or FAILED, in words
	Units       string   `json:"units,omitempty" example:"DONE"`
	Late        bool     `json:"late,omitempty"` // it was REFUSED, and had happened
}

// RefundList are the refunds of an order, oldest first.
type RefundList struct {
	_       struct{} `additionalProperties:"true"`
	Refunds []Refund `json:"refunds" nullable:"false"`
}

// LineLeft is a line of the order that has fewer units left than were asked for.
type LineLeft struct {
	Line  int `json:"line"`
	Asked int `json:"asked"`
	Left  int `json:"left"`
}
