package stripe

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/ordersaga/ordersaga/internal/order"
)

// EventTolerance is how old the signature of a payment event may be. The gateway signs every attempt to send one.
const EventTolerance = 5 * time.Minute

var (
	// ErrSignature says that a payment event is not signed with the secret, or was signed too long ago.
	ErrSignature = errors.New("the payment event is not signed by the gateway")
	// ErrEvent says that a signed payment event cannot be understood.
	ErrEvent = errors.New("the payment event cannot be understood")
	// ErrOtherEvent says that a signed payment event has a type that this system ignores.
	ErrOtherEvent = errors.New("the payment event has a type that is ignored")
)

// minSecret is the length of the shortest signing secret after whsec_. The gateway's own have twice as many characters.
const minSecret = 16

// IsWebhookSecret reports whether a signing secret can be one of the gateway's: whsec_ and enough characters that nobody can
// guess them.
func IsWebhookSecret(s string) bool {
	random, ok := strings.CutPrefix(s, "whsec_")
	return ok && len(random) >= minSecret
}

// ReadEvent verifies and decodes a payment event from the gateway. body is the unchanged body of the request, signature its
// Stripe-Signature header and secret the endpoint's (whsec_…). Its errors are ErrSignature, ErrEvent and ErrOtherEvent, which
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
	case order.PaymentRefunded, order.RefundCreated, order.RefundUpdated, order.RefundFailedLater, order.DisputeCreated,
		order.DisputeUpdated, order.DisputeClosed, order.DisputeWithdrawn, order.DisputeReinstated:
		event.PaymentID = sent.Data.Object.PaymentIntent
		if event.PaymentID == "" {
			return order.PaymentEvent{}, ErrOtherEvent // of a charge without a payment intent, which is not ours
		}
	default:
		return order.PaymentEvent{}, ErrOtherEvent
	}
	if !isReference(event.PaymentID, "pi_") {
		return order.PaymentEvent{}, ErrEvent
	}
	return event, nil
}

// isReference reports whether s looks like one of the gateway's identifiers. It becomes part of a workflow ID and of a URL.
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
