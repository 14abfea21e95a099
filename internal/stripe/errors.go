package stripe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"

	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/order"
)

// Error is an error response of the gateway that is not a refusal: the gateway is broken or busy, or our request is wrong.
type Error struct {
	Status    int    // HTTP
	Type      string // Stripe's: api_error, invalid_request_error, idempotency_error, card_error
	Code      string // Stripe's, for example idempotency_key_in_use; may be empty
	RequestID string // identifies the call in the gateway's log; may be empty
	Detail    string // the gateway's message about a wrong request, without secrets; may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("the gateway returned %d %s", e.Status, e.Type)
	if e.Code != "" {
		text += " " + e.Code
	}
	switch {
	case e.keyRejected():
		text += ": it does not accept the API key"
	case e.NeedsAttention():
		text += ": the API key may be another account's"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// NeedsAttention reports whether only an operator can help: the gateway does not accept our API key, or it does not know a
// payment or refund that it made for us.
func (e *Error) NeedsAttention() bool {
	return e.keyRejected() || e.Code == string(stripego.ErrorCodeResourceMissing)
}

func (e *Error) keyRejected() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// Our own codes, in addition to the gateway's decline codes.
const (
	codeGeneric        = "generic_decline"
	codeAuthentication = "authentication_required"
	codeCancelled      = "payment_cancelled"
	codeRefunded       = "payment_refunded"
	codeMethod         = "payment_method_unknown"
)

// messages are for the customer, by decline code. Other codes get a general message.
var messages = map[string]string{
	"insufficient_funds":               "the card has insufficient funds",
	"card_velocity_exceeded":           "the card's limit is exceeded",
	"withdrawal_count_limit_exceeded":  "the card's limit is exceeded",
	"expired_card":                     "the card has expired",
	"incorrect_cvc":                    "the card's security code is wrong",
	"incorrect_number":                 "the card's number is wrong",
	"card_not_supported":               "the card cannot be used for this purchase",
	"currency_not_supported":           "the card cannot be charged in this currency",
	"processing_error":                 "the card could not be processed; try again in a little while",
	"try_again_later":                  "the card could not be processed; try again in a little while",
	"issuer_not_available":             "the card's bank could not be reached; try again in a little while",
	codeAuthentication:                 "the card's bank asks for an authentication that is not possible here; use another card",
	codeMethod:                         "the payment method is not known",
	codeCancelled:                      "the payment was cancelled",
	codeRefunded:                       "the payment was refunded",
	"card_decline_rate_limit_exceeded": "the card was declined too often; try again in a day",
}

// secretive are the decline and failure codes that must stay hidden from the customer, who may not be the card's owner
// (https://docs.stripe.com/declines/codes).
var secretive = map[string]bool{
	"fraudulent": true, "lost_card": true, "merchant_blacklist": true, "pickup_card": true, "restricted_card": true,
	"security_violation": true, "stolen_card": true, "lost_or_stolen_card": true,
}

// decline refuses a charge, with a message for the customer.
func decline(code string) *order.Refusal {
	if code == "" || secretive[code] {
		code = codeGeneric
	}
	message, ok := messages[code]
	if !ok {
		message = "the card was declined"
	}
	r := order.Refuse(order.PaymentDeclined, "%s", message)
	r.Cause.DeclineCode = code
	return r
}

// declineCode is the most specific code of a card error.
func declineCode(e *stripego.Error) string {
	if e.DeclineCode != "" && e.DeclineCode != codeGeneric {
		return string(e.DeclineCode)
	}
	if e.Code != "" && e.Code != stripego.ErrorCodeCardDeclined {
		return string(e.Code)
	}
	return codeGeneric
}

// isDecline reports whether this very call declined the card.
func isDecline(err error) bool {
	var e *stripego.Error
	return errors.As(err, &e) && e.HTTPStatusCode == http.StatusPaymentRequired && e.Type == stripego.ErrorTypeCard
}

// asRefusal returns err as a refusal, or nil if it is none. A mistake in the payment itself stays a mistake on every retry;
// a mistake of ours (the key, an unknown parameter) can be corrected, so it is broken.
func asRefusal(err error) *order.Refusal {
	var refusal *order.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	var e *stripego.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case isDecline(err):
		return decline(declineCode(e))
	case e.HTTPStatusCode != http.StatusBadRequest || e.Type != stripego.ErrorTypeInvalidRequest:
		return nil
	case e.Param == "payment_method":
		return decline(codeMethod)
	case e.Code == stripego.ErrorCodeAmountTooSmall:
		return order.Refuse(order.InvalidAmount, "the total of the order is too small to be charged")
	case e.Code == stripego.ErrorCodeAmountTooLarge:
		return order.Refuse(order.InvalidAmount, "the total of the order is too large to be charged")
	case e.Param == "amount":
		return order.Refuse(order.InvalidAmount, "the total of the order cannot be charged")
	case e.Param == "currency":
		return order.Refuse(order.InvalidAmount, "the currency of the order cannot be charged")
	}
	return nil
}

// refusedOrBroken returns err as a refusal if it is one, otherwise as broken. The log gets the code that customers do not.
func (p *Payments) refusedOrBroken(what string, pay order.Payment, err error) error {
	refusal := asRefusal(err)
	if refusal == nil {
		return wrapOrder(what, pay, err)
	}
	var e *stripego.Error
	if errors.As(err, &e) {
		p.log.Info("payment refused", "orderId", pay.OrderID, "code", declineCode(e), "gatewayRequestId", e.RequestID)
	}
	return refusal
}

func wrapOrder(what string, pay order.Payment, err error) error {
	return wrap(fmt.Sprintf("%s order %s", what, pay.OrderID), err)
}

// wrap adds what was being done, and removes everything that may be secret: the library's errors hold the gateway's whole
// response, client secrets included.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	var response *stripego.Error
	var transport *url.Error
	switch {
	case errors.As(err, &response):
		return fmt.Errorf("%s: %w", what, broken(response))
	case errors.As(err, &transport):
		return fmt.Errorf("%s: %w", what, transport.Err)
	case isHarmless(err):
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: the gateway's response cannot be understood", what)
}

// problem is an error with a text of this package.
type problem string

func (p problem) Error() string { return string(p) }

// isHarmless reports whether the error's text certainly holds nothing of the gateway's response.
func isHarmless(err error) bool {
	var own problem
	var refusal *order.Refusal
	var network net.Error
	return errors.As(err, &own) || errors.As(err, &refusal) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func broken(e *stripego.Error) *Error {
	b := &Error{Status: e.HTTPStatusCode, Type: string(e.Type), Code: string(e.Code), RequestID: e.RequestID}
	if e.HTTPStatusCode == http.StatusBadRequest {
		b.Detail = scrub(e.Msg)
	}
	return b
}

// secrets matches API keys, client secrets, and anything that may be a card number.
var secrets = regexp.MustCompile(`\b(?:sk|rk|pk|whsec)_\S+|\w+_secret_\w+|\b\d(?:[ -]?\d){11,18}\b`)

func scrub(text string) string { return secrets.ReplaceAllString(text, "…") }
