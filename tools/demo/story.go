package main

import (
	"context"
	"net/http"

	"github.com/ordersaga/ordersaga/api/orderclient"
	"github.com/ordersaga/ordersaga/internal/order"
)

// The products that the demo orders.
const (
	mug         = "mug-stoneware"
	tea         = "tea-assam-100"
	limited     = "print-lighthouse" // only a few units
	nonexistent = "flying-carpet"
)

// item is a line of an order. With beyond, it asks for that many units more than are in stock.
type item struct {
	product  string
	quantity int
	beyond   int
}

// scene is an order with its promised end.
type scene struct {
	title   string
	intro   []string
	items   []item
	payment string // empty: the api's default
	again   bool   // send it twice

	status  int    // of the response
	problem string // type of the problem, empty when the response is the order
	ends    orderclient.Status
	reason  order.Reason
	event   order.EventType
}

// story is what the demo shows.
var story = []scene{
	{
		title: "1. An order that works",
		intro: []string{
			"Priced, stock reserved, card charged, stock sold, confirmed, announced. Then the same request again,",
			"from a client that lost the response.",
		},
		items: []item{{product: mug, quantity: 2}, {product: tea, quantity: 1}}, payment: "pm_card_visa", again: true,
		status: http.StatusCreated, ends: orderclient.Confirmed, event: order.EventConfirmed,
	},
	{
		title: "2. The card is declined",
		intro: []string{"The stock was already reserved. The saga releases it and makes sure that the gateway keeps no money."},
		items: []item{{product: mug, quantity: 3}}, payment: "pm_card_chargeDeclined",
		status: http.StatusBadRequest, problem: orderclient.PaymentDeclined,
		ends: orderclient.Failed, reason: order.PaymentDeclined, event: order.EventCancelled,
	},
	{
		title:  "3. Not enough in stock",
		intro:  []string{"One item is in stock, the other is not. All or nothing: neither is reserved, and the card is not charged."},
		items:  []item{{product: tea, quantity: 1}, {product: limited, beyond: 2}},
		status: http.StatusBadRequest, problem: orderclient.OutOfStock,
		ends: orderclient.Failed, reason: order.OutOfStock, event: order.EventCancelled,
	},
	{
		title:  "4. An unknown product",
		intro:  []string{"Refused when it is priced, before anything else happened. The order is still stored and announced."},
		items:  []item{{product: nonexistent, quantity: 1}},
		status: http.StatusNotFound, problem: orderclient.ProductNotFound,
		ends: orderclient.Failed, reason: order.ProductNotFound, event: order.EventCancelled,
	},
}

// tell plays the story and returns the ID of the confirmed order. The error names the broken promises, or says why a scene
// could not be finished.
func tell(ctx context.Context, s *stack, out *report) (string, error) {
	if err := restock(ctx, s, []string{mug, tea}); err != nil {
		return "", err
	}
	var confirmed string
	for _, sc := range story {
		id, err := play(ctx, s, sc, out)
		if err != nil {
			return "", err
		}
		if sc.ends == orderclient.Confirmed {
			confirmed = id
		}
	}
	return confirmed, out.err()
}
