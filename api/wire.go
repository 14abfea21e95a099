package api

import (
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// paymentMethodPattern is that of NewOrder.PaymentMethod, the gateway's reference. It keeps card numbers out of histories
// and logs.
const paymentMethodPattern = `^pm_[A-Za-z0-9_]{1,250}$`

// What clients send is closed: members that are not here are refused. What they get is open (additionalProperties): new
// members may come, and clients must ignore those that they do not know.

// NewOrder is an order as a client asks for it.
type NewOrder struct {
	UserID        int64     `json:"userId" minimum:"1" maximum:"9007199254740991" example:"42" doc:"Whose order it is. With a token: the user that the token is about."`
	Items         []NewItem `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
	PaymentMethod string    `json:"paymentMethod,omitempty" pattern:"^pm_[A-Za-z0-9_]{1,250}$" patternDescription:"a reference like pm_card_visa" example:"pm_card_visa" doc:"The payment gateway's reference; a default is charged when it is missing. Never a card number."`
}

// NewItem is a product and how many of it.
type NewItem struct {
	ProductID string `json:"productId" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" patternDescription:"1 to 64 letters, digits, dots, underscores and hyphens" example:"mug-blue"`
	Quantity  int    `json:"quantity" minimum:"1" maximum:"10000" example:"2"`
}

// Order is an order as clients see it.
type Order struct {
	_         struct{}     `additionalProperties:"true"`
	ID        order.ID     `json:"id" format:"uuid" example:"0190d2ad-5c2f-7c3e-9a4b-0f7f2f3c1a2b"`
	UserID    int64        `json:"userId" example:"42"`
	Status    order.Status `json:"status" enum:"PENDING,CONFIRMED,FAILED,CANCELLED" doc:"PENDING is the only status that changes. FAILED: it could not be completed; CANCELLED: somebody asked."`
	Items     []Line       `json:"items" nullable:"false"`
	Total     *Money       `json:"total,omitempty" doc:"Known once the order is priced."`
	Reason    order.Reason `json:"reason,omitempty" example:"OUT_OF_STOCK" doc:"Why it is FAILED or CANCELLED; on a PENDING order: why it is being undone."`
	Message   string       `json:"message,omitempty" doc:"The reason, in words for the customer."`
	CreatedAt time.Time    `json:"createdAt"`
	UpdatedAt time.Time    `json:"updatedAt"`
}

// Line is an item with what the catalog said about it.
type Line struct {
	_         struct{} `additionalProperties:"true"`
	ProductID string   `json:"productId" example:"mug-blue"`
	Name      string   `json:"name,omitempty" example:"Blue mug" doc:"Known once the order is priced."`
	Quantity  int      `json:"quantity" example:"2"`
	Price     *Money   `json:"price,omitempty" doc:"Of one unit; known once the order is priced."`
}

// Money is an amount in minor units of a currency.
type Money struct {
	_        struct{} `additionalProperties:"true"`
	Amount   int64    `json:"amount" example:"1299" doc:"Minor units: cents of USD, whole JPY."`
	Currency string   `json:"currency" example:"USD" doc:"ISO 4217."`
}

// OrderPage is a part of a list of orders, newest first.
type OrderPage struct {
	_      struct{} `additionalProperties:"true"`
	Orders []Order  `json:"orders" nullable:"false"`
	Next   string   `json:"next,omitempty" doc:"The cursor of the next page; missing on the last one."`
}

// Timeline is what happened to an order.
type Timeline struct {
	_       struct{}        `additionalProperties:"true"`
	OrderID order.ID        `json:"orderId" format:"uuid"`
	Events  []TimelineEvent `json:"events" nullable:"false" doc:"In the sequence in which they were stored; it only ever grows at its end."`
}

// TimelineEvent is a step, an undo, a transition or an operator's action.
type TimelineEvent struct {
	_      struct{}        `additionalProperties:"true"`
	Type   order.EntryType `json:"type" example:"STEP_DONE"`
	At     time.Time       `json:"at"`
	Step   string          `json:"step,omitempty" example:"ReserveStock" doc:"What was done; missing for transitions of the order itself."`
	Detail string          `json:"detail,omitempty" doc:"For operators only."`
}

// CancelOrder is why an order shall be cancelled.
type CancelOrder struct {
	Reason string `json:"reason,omitempty" maxLength:"120" pattern:"^[^\\x00-\\x1f\\x7f]*$" patternDescription:"text without control characters" example:"ordered twice" doc:"In your words; kept with the order."`
}

func toWire(o order.Order) Order {
	w := Order{
		ID: o.ID, UserID: o.UserID, Status: o.Status, Items: make([]Line, len(o.Items)), Total: toMoney(o.Total),
		CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(),
	}
	for i, l := range o.Items {
		w.Items[i] = Line{ProductID: l.ProductID, Name: l.Name, Quantity: l.Quantity, Price: toMoney(l.Price)}
	}
	if o.Cause != nil {
		w.Reason, w.Message = o.Cause.Reason, o.Cause.Message
	}
	return w
}

func toMoney(m money.Money) *Money {
	if m.IsZero() {
		return nil
	}
	return &Money{Amount: m.Amount, Currency: m.Currency}
}

func toTimeline(id order.ID, records []order.Entry, details bool) Timeline {
	t := Timeline{OrderID: id, Events: make([]TimelineEvent, len(records))}
	for i, r := range records {
		t.Events[i] = toTimelineEvent(r, details)
	}
	return t
}

// toTimelineEvent shows a record; details are not for customers.
func toTimelineEvent(r order.Entry, details bool) TimelineEvent {
	e := TimelineEvent{Type: r.Type, At: r.At.UTC(), Step: r.Step}
	if details {
		e.Detail = r.Detail
	}
	return e
}
