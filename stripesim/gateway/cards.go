package gateway

import (
	"net/http"
	"strings"
)

// card is how a test payment method behaves when it is charged. The zero value succeeds.
type card struct {
	code        string // of the error; empty: the charge succeeds
	declineCode string
	message     string
	action      bool // the customer would have to authenticate, so nothing is charged

	refunds course  // how its refunds go; the zero value: they succeed at once
	dispute dispute // the status and the reason of the dispute that the charge begins with; the zero value: none
}

// cards are Stripe's test payment methods (https://docs.stripe.com/testing), by reference.
var cards = func() map[string]card {
	all := map[string]card{
		"pm_card_authenticationRequired":          {action: true},
		"pm_card_pendingRefund":                   {refunds: course{status: refundPending, then: succeeded}},
		"pm_card_refundFail":                      {refunds: course{status: succeeded, then: refundFailed, reason: cardGone}},
		"pm_card_createDispute":                   {dispute: dispute{Status: needsResponse, Reason: "fraudulent"}},
		"pm_card_createDisputeProductNotReceived": {dispute: dispute{Status: needsResponse, Reason: "product_not_received"}},
		"pm_card_createDisputeInquiry":            {dispute: dispute{Status: inquiry, Reason: "fraudulent"}},
	}
	for _, brand := range []string{
		"us", "visa", "visa_debit", "mastercard", "mastercard_debit", "mastercard_prepaid", "amex", "discover", "diners",
		"jcb", "unionpay", "gb", "de", "fr", "br", "ca", "jp", "in",
	} {
		all["pm_card_"+brand] = card{}
	}
	for suffix, c := range map[string]card{
		"":                       declined("card_declined", "generic_decline"),
		"InsufficientFunds":      declined("card_declined", "insufficient_funds"),
		"LostCard":               declined("card_declined", "lost_card"),
		"StolenCard":             declined("card_declined", "stolen_card"),
		"Fraudulent":             declined("card_declined", "fraudulent"),
		"VelocityLimitExceeded":  declined("card_declined", "card_velocity_exceeded"),
		"ExpiredCard":            declined("expired_card", "expired_card"),
		"IncorrectCvc":           declined("incorrect_cvc", "incorrect_cvc"),
		"ProcessingError":        declined("processing_error", "processing_error"),
		"AuthenticationRequired": declined("authentication_required", "authentication_required"),
	} {
		all["pm_card_chargeDeclined"+suffix] = c
		all["pm_card_visa_chargeDeclined"+suffix] = c
	}
	return all
}()

// declined returns a card that is declined, with Stripe's message for the customer.
func declined(code, declineCode string) card {
	message := "Your card was declined."
	switch declineCode {
	case "insufficient_funds":
		message = "Your card has insufficient funds."
	case "expired_card":
		message = "Your card has expired."
	case "incorrect_cvc":
		message = "Your card's security code is incorrect."
	case "processing_error":
		message = "An error occurred while processing your card. Try again in a little bit."
	case "card_velocity_exceeded":
		message = "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
	case "authentication_required":
		message = "Your card was declined. This transaction requires authentication."
	}
	return card{code: code, declineCode: declineCode, message: message}
}

// findCard returns the card behind a payment method's reference.
func findCard(reference string) (card, *apiError) {
	if !strings.HasPrefix(reference, "pm_") {
		return card{}, invalid("payment_method", "parameter_invalid",
			"payment_method must be a reference such as pm_card_visa. Card numbers are never accepted here.")
	}
	c, ok := cards[reference]
	if !ok {
		return card{}, notFound(http.StatusBadRequest, "payment_method", "PaymentMethod", reference)
	}
	return c, nil
}

// maxAmount is the most that can be charged at once: eight digits, in every currency.
const maxAmount = 99_999_999

// minimums are the least that can be charged in common currencies, in the smallest unit
// (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts). Other currencies have a minimum of one unit
// here; Stripe's follows the exchange rate.
var minimums = map[string]int64{
	"usd": 50, "eur": 50, "gbp": 30, "chf": 50, "cad": 50, "aud": 50, "nzd": 50, "sgd": 50, "brl": 50, "inr": 50,
	"jpy": 50, "dkk": 250, "nok": 300, "sek": 300, "pln": 200, "czk": 1500, "huf": 17500, "mxn": 1000, "hkd": 400,
}

func checkAmount(amount int64, currency string) *apiError {
	least := minimums[currency]
	switch {
	case amount < 1:
		return invalid("amount", "parameter_invalid_integer", "This value must be greater than or equal to 1.")
	case amount < least:
		return invalid("amount", "amount_too_small", "Amount must be at least %d %s (in the smallest unit).", least, currency)
	case amount > maxAmount:
		return invalid("amount", "amount_too_large",
			"Amount must be no more than %d %s (in the smallest unit).", maxAmount, currency)
	}
	return checkStep(amount, currency)
}

// checkStep rejects amounts that are finer than cards can be charged or refunded.
func checkStep(amount int64, currency string) *apiError {
	switch {
	case threeDecimals[currency] && amount%10 != 0:
		return invalid("amount", "parameter_invalid_integer",
			"Invalid amount: %s has three decimals, and the last must be 0.", strings.ToUpper(currency))
	case wholeInHundredths[currency] && amount%100 != 0:
		return invalid("amount", "parameter_invalid_integer",
			"Invalid amount: %s has no decimals but is counted in hundredths, so the last two digits must be 0.",
			strings.ToUpper(currency))
	}
	return nil
}

// threeDecimals are the currencies counted in thousandths. Cards charge hundredths.
var threeDecimals = map[string]bool{"bhd": true, "jod": true, "kwd": true, "omr": true, "tnd": true}

// wholeInHundredths are currencies without decimals that Stripe counts in hundredths nevertheless.
var wholeInHundredths = map[string]bool{"isk": true, "ugx": true}

func unsupportedCurrency(code string) *apiError {
	return invalid("currency", "", "Invalid currency: %.8s. Stripe currently supports ISO 4217 currencies.", code)
}
