package stripe

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/internal/order"
)

// EventTolerance is how old the signature of an event may be: an event that is sent again is signed again.
const EventTolerance = 5 * time.Minute

var (
	// ErrSignature says that an event is not signed with the secret, or was signed too long ago.
	ErrSignature = errors.New("the event is not signed by the payment gateway")
	// ErrEvent says that a signed event cannot be understood.
	ErrEvent = errors.New("the event cannot be understood")
	// ErrOtherEvent says that a signed event is of a type that nobody acts on.
	ErrOtherEvent = errors.New("the event is of no interest")
)

// ReadEvent reads an event that the gateway has sent. body is the request's, byte by byte as it came, signature its
// Stripe-Signature header and secret the endpoint's (whsec_…). It returns ErrSignature, ErrEvent or ErrOtherEvent, which
// hold nothing of the body.
func ReadEvent(body []byte, signature, secret string) (order.PaymentEvent, error) {
	if webhook.ValidatePayloadWithTolerance(body, signature, secret, EventTolerance) != nil {
		return order.PaymentEvent{}, ErrSignature
	}
	var sent struct {
		ID     string `json:"id"`
		Object string `json:"object"`
		Type   string `json:"type"`
		Data   struct {
			Object struct {
				ID            string `json:"id"`
				PaymentIntent string `json:"payment_intent"`
			} `json:"object"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &sent) != nil || sent.Object != "event" || !isReference(sent.ID, "evt_") {
		return order.PaymentEvent{}, ErrEvent
	}
	event := order.PaymentEvent{ID: sent.ID, Type: order.PaymentEventType(sent.Type)}
	switch event.Type {
	case order.PaymentSucceeded:
		event.PaymentID = sent.Data.Object.ID
	case order.PaymentRefunded:
		event.PaymentID = sent.Data.Object.PaymentIntent
	default:
		return order.PaymentEvent{}, ErrOtherEvent
	}
	if event.Type == order.PaymentRefunded && event.PaymentID == "" {
		return order.PaymentEvent{}, ErrOtherEvent // a charge that was made without a payment intent: none of ours
	}
	if !isReference(event.PaymentID, "pi_") {
		return order.PaymentEvent{}, ErrEvent
	}
	return event, nil
}

// isReference reports whether s looks like one of the gateway's identifiers. It becomes part of a workflow's ID and of a
// URL.
func isReference(s, prefix string) bool {
	if len(s) <= len(prefix) || len(s) > 255 || s[:len(prefix)] != prefix {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
