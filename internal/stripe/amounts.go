package stripe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

// Stripe counts in ISO 4217 minor units, with exceptions (https://docs.stripe.com/currencies). HUF and TWD are no exceptions:
// only their payouts are in whole units.
var (
	// timesHundred are currencies without decimals that Stripe counts in hundredths nevertheless.
	timesHundred = map[string]bool{"ISK": true, "UGX": true}
	// byHundred are currencies with two decimals in ISO 4217 that Stripe counts in whole units.
	byHundred = map[string]bool{"MGA": true}
)

// smallestUnits returns the amount as Stripe counts it, or a refusal if Stripe cannot charge it exactly.
func smallestUnits(m money.Money) (int64, error) {
	switch step := money.CardStep(m.Currency); {
	case m.Amount%step != 0:
		return 0, order.Refuse(order.InvalidAmount, "amounts in %s can only be charged in steps of %d minor units", m.Currency, step)
	case timesHundred[m.Currency]:
		hundred, err := m.Times(100)
		if err != nil {
			return 0, order.Refuse(order.InvalidAmount, "the total of the order is too large")
		}
		return hundred.Amount, nil
	case byHundred[m.Currency]:
		return m.Amount / 100, nil
	}
	return m.Amount, nil
}

// minorUnits is the inverse of smallestUnits.
func minorUnits(amount int64, currency string) int64 {
	switch {
	case timesHundred[currency]:
		return amount / 100
	case byHundred[currency]:
		return amount * 100
	}
	return amount
}

// currencies are those of ISO 4217 in which Stripe charges cards.
var currencies = strings.Fields(`
	AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP
	CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY
	KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK
	NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SVC SZL THB TJS TND TOP
	TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW`)

// Chargeable returns, without asking the gateway, a *order.Refusal (INVALID_AMOUNT) if the gateway can never charge the
// amount: it does not know the currency, or cannot count the amount. Nil is not a promise, because the gateway has limits of
// its own.
func (*Payments) Chargeable(total money.Money) error {
	if !slices.Contains(currencies, total.Currency) {
		return order.Refuse(order.InvalidAmount, "orders cannot be paid in %s", total.Currency)
	}
	if total.Amount <= 0 {
		return order.Refuse(order.InvalidAmount, "the total of the order is zero")
	}
	_, err := smallestUnits(total)
	return err
}

// check rejects payments that cannot be handled safely. These are mistakes of the caller and not refusals, because an order
// that reaches its payment has been priced.
func check(pay order.Payment) error {
	if _, err := order.ParseID(string(pay.OrderID)); err != nil {
		return err
	}
	if err := pay.Amount.Validate(); err != nil {
		return fmt.Errorf("its payment: %w", err)
	}
	switch {
	case pay.Amount.Amount == 0:
		return errors.New("its payment has no amount: the order was never priced, so there is nothing to charge or to refund")
	case pay.Method == "":
		return errors.New("its payment has no payment method")
	case pay.OrderedAt.IsZero():
		return errors.New("its payment does not say when the order was placed")
	}
	return nil
}
