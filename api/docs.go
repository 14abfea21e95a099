package api

import "github.com/ordersaga/ordersaga/internal/httpapi"

const description = `Place orders, follow them, and refund them.

A saga completes each order: it reserves the stock and charges the payment, or it undoes everything. Send an
**Idempotency-Key** with every POST /orders, and repeat the request with the same key and body whenever you do not know its
outcome: there will be one order. Errors are problems (RFC 9457); [/problems](/problems) explains every type.`

const eventsDescription = `A stream of server-sent events (EventSource in a browser), which ends when the order has ended:

* **entry**: a timeline entry of the order; first those stored so far, then each new one.
* **order**: the order; first its present state, then each change.
* **end**: the order in its final state. No event follows. Close your side, or EventSource connects again.

The server also closes a stream after a while, and when it stops. Connect again with the ID of the last event that you
received (EventSource does so by itself): you miss nothing and no entry is repeated. Lines that begin with a colon keep a
quiet connection alive.`

// texts describe members and parameters in the OpenAPI document.
var texts = httpapi.Texts{
	Fields: map[string]string{
		"NewOrder.userId":        "The customer. With a customer's token: the user in the token.",
		"NewOrder.paymentMethod": "The payment gateway's reference; without one, a default is charged. Never a card number.",
		"CancelOrder.reason":     "In your words; kept with the order.",

		"Order.status": "PENDING is the only status that changes. FAILED: the order could not be completed. " +
			"CANCELLED: a customer or an operator cancelled it.",
		"Order.total":   "Present once the order is priced.",
		"Order.reason":  "Why the order is FAILED or CANCELLED; on a PENDING order: why it is being undone.",
		"Order.message": "The reason, in words for the customer.",
		"Line.name":     "Present once the order is priced.",
		"Line.price":    "The price of one unit; present once the order is priced.",
		"Money.amount": "In minor units of ISO 4217: cents of USD, fillér of HUF, whole JPY. Divide by the decimals of ISO 4217; " +
			"those of a browser's Intl.NumberFormat differ for some currencies, HUF, COP and IDR among them.",
		"Money.currency": "An ISO 4217 code.",
		"OrderPage.next": "The cursor of the next page; absent on the last one.",

		"Order.refunded":   "What was given back, of a CONFIRMED order: refunds that were accepted and did not fail.",
		"Order.givenBack":  "How much of the total that is. Absent unless CONFIRMED.",
		"Order.fulfilment": "How many of the units were shipped, of those that were not cancelled. Absent unless CONFIRMED.",
		"Line.returned":    "Units that were given back by refunds.",
		"Line.shipped":     "Units that were handed to a carrier.",
		"Line.delivered":   "Units that have arrived.",

		"NewRefund.kind": "RETURN: units that came back. CANCELLATION: units that were not shipped; without lines, all that is " +
			"left of the order. GOODWILL: an amount, without lines.",
		"NewRefund.amount": "In the order's currency. Without it: what the lines are worth, or all that is left. More than what " +
			"is left is refused, never cut down.",
		"NewRefund.money":    "GATEWAY (the default): back to the payment. OTHER: paid in another way. NONE: only units move.",
		"NewRefund.replaces": "The FAILED refund of this order that this one makes good.",
		"NewRefund.reason":   "For operators.",
		"NewRefund.message":  "For the customer.",
		"RefundItem.line":    "The position in the order's items, from 1.",
		"RefundItem.restock": "Units that go back on sale, all of them by default. The rest is written off.",
		"Refund.status": "REQUESTED: accepted, not booked yet. BOOKED: its money and units are set aside. REFUSED: nothing moved. " +
			"PENDING: the gateway has accepted it. SUCCEEDED: the money is on its way. FAILED: it was accepted, and the money came " +
			"back. It only goes forward in this order.",
		"Refund.amount":           "Absent while REQUESTED, unless the request named it. 0 when no money moves.",
		"Refund.message":          "For the customer.",
		"Refund.reason":           "Why it is REFUSED or FAILED.",
		"Refund.acceptedAt":       "When the gateway accepted it.",
		"Refund.endedAt":          "When it was refused or failed.",
		"Refund.operator":         "Only operators see it.",
		"RefundLine.line":         "The position in the order's items, from 1.",
		"RefundLine.restock":      "Units that go back on sale; the rest is written off.",
		"RefundLine.value":        "Its share of the line.",
		"RefundTrail.subject":     "The subject (sub) of the token that asked for it.",
		"RefundTrail.reason":      "The requester's reason.",
		"RefundTrail.replaces":    "The FAILED refund that this one makes good.",
		"RefundTrail.explanation": "Why it is REFUSED or FAILED, in words.",
		"RefundTrail.units":       "What became of the units in the catalog: NONE, DUE, DONE, or SKIPPED by an operator.",
		"RefundTrail.late":        "It was REFUSED, and turned out to have happened: its units were not moved.",

		"Timeline.entries": "In the order in which they were stored. New entries are only added at the end.",
		"Entry.step":       "The step concerned; absent when the entry is about the order's status.",
		"Entry.detail":     "Only operators see it.",

		"*.id":       "The ID, in lower case.",
		"*.refundId": "The refund's ID, in lower case.",
		"placeOrder.Idempotency-Key": "A name of your choice for this order, unique among your orders. The same key and body always " +
			"mean the same order and get the same response, marked by Idempotency-Replayed. Another body under the same key is " +
			"rejected.",
		"refundOrder.Idempotency-Key": "A name of your choice for this refund, unique among those of the order. The same key and " +
			"body always mean the same refund and get the same response, marked by Idempotency-Replayed.",
		"refundOrder.Prefer": "wait=N: wait at most N seconds for the gateway's answer (10 by default, 60 at most). " +
			"respond-async: do not wait.",
		"placeOrder.Prefer": "wait=N: wait at most N seconds for the outcome (10 by default, 60 at most). " +
			"respond-async: do not wait.",
		"getOrder.If-None-Match":   "The ETag of your copy; the response is 304 if the order has not changed.",
		"listOrders.userId":        "Only this user's orders. With a customer's token: always only that user's.",
		"listOrders.createdFrom":   "Only orders created at this time or later.",
		"listOrders.createdTo":     "Only orders created before this time.",
		"listOrders.productId":     "Only orders with a line of this product.",
		"listOrders.limit":         "Orders per page.",
		"listOrders.cursor":        "The next member of the previous page. Keep the filters unchanged.",
		"watchOrder.Last-Event-ID": "The ID of the last event that you received: the stream continues after it.",

		"*.ETag":                 "The order's version, for If-None-Match.",
		"*.Link":                 "A page that shows the order's saga (rel=monitor).",
		"*.Location":             "The order, or the refund.",
		"*.Retry-After":          "How many seconds to wait before you look again, while the order or refund is not decided.",
		"*.Idempotency-Replayed": "true if an earlier request with the same key placed the order, or asked for the refund.",
	},
	Patterns: map[string]string{
		`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`: "1 to 64 letters, digits, dots, underscores and hyphens",
		paymentMethodPattern:                "a reference like pm_card_visa",
		`^[\x21-\x7e]+$`:                    "visible ASCII characters",
		orderIDPattern:                      "a UUID in lower case",
		`^[0-9]{1,18}$`:                     "the ID of an event",
		`^[A-Z]{3}$`:                        "an ISO 4217 code",
	},
}
