package main

import (
	"context"
	"net/http"

	"github.com/ordersaga/ordersaga/internal/order"
)

// The products that the demo orders.
const (
	mug         = "mug-stoneware"
	tea         = "tea-assam-100"
	limited     = "print-lighthouse" // of which there are few
	nonexistent = "flying-carpet"
)

// item is a line of an order. Beyond asks for that many more than there are.
type item struct {
	product  string
	quantity int
	beyond   int
}

// scene is an order and its promised end.
type scene struct {
	title   string
	intro   string
	items   []item
	payment string // "" leaves it to the api's default
	again   bool   // send it twice

	status  int    // of the answer
	problem string // type of the problem, "" when the order itself is answered
	ends    order.Status
	reason  order.Reason
	event   order.EventType
}

// story is what the demo shows.
var story = []scene{
	{
		title: "1. An order that works",
		intro: "Priced, stock reserved, card charged, stock sold, confirmed, announced. Then sent again, as a client does that lost the answer.",
		items: []item{{product: mug, quantity: 2}, {product: tea, quantity: 1}}, payment: "pm_card_visa", again: true,
		status: http.StatusCreated, ends: order.Confirmed, event: order.EventConfirmed,
	},
	{
		title: "2. The card is declined",
		intro: "The stock was already reserved. The saga gives it back and makes sure that the gateway keeps nothing.",
		items: []item{{product: mug, quantity: 3}}, payment: "pm_card_chargeDeclined",
		status: http.StatusBadRequest, problem: "/problems/payment-declined",
		ends: order.Failed, reason: order.PaymentDeclined, event: order.EventCancelled,
	},
	{
		title:  "3. Not enough in stock",
		intro:  "One line could be served and the other could not. All or nothing: neither is held, and the card is never touched.",
		items:  []item{{product: tea, quantity: 1}, {product: limited, beyond: 2}},
		status: http.StatusBadRequest, problem: "/problems/out-of-stock",
		ends: order.Failed, reason: order.OutOfStock, event: order.EventCancelled,
	},
	{
		title:  "4. A product that nobody sells",
		intro:  "Refused when it is priced, before anything happened. It still leaves a record, and is announced like every end.",
		items:  []item{{product: nonexistent, quantity: 1}},
		status: http.StatusNotFound, problem: "/problems/product-not-found",
		ends: order.Failed, reason: order.ProductNotFound, event: order.EventCancelled,
	},
}

// tell plays the story and returns the confirmed order. The error says what was not as promised, or why a scene could not
// be played to its end.
func tell(ctx context.Context, s *stack, out *report) (order.ID, error) {
	if err := restock(ctx, s, []string{mug, tea}); err != nil {
		return "", err
	}
	var confirmed order.ID
	for _, sc := range story {
		id, err := play(ctx, s, sc, out)
		if err != nil {
			return "", err
		}
		if sc.ends == order.Confirmed {
			confirmed = id
		}
	}
	return confirmed, out.err()
}
