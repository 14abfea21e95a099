// Package moneytext writes amounts for people, with the decimals and symbols that ISO 4217 and CLDR give a currency. It is
// apart from package money because the domain imports only the standard library.
package moneytext

import (
	"fmt"

	"github.com/bojanz/currency"

	"github.com/ordersaga/ordersaga/internal/money"
)

// Plain writes an amount for operators: "12.99 USD". An amount that is not known is "–", and one in an unknown currency
// stays in minor units: an operator is better served with that than with an error.
func Plain(m money.Money) string {
	if m.IsZero() {
		return "–"
	}
	a, err := currency.NewAmountFromInt64(m.Amount, m.Currency)
	if err != nil {
		return fmt.Sprintf("%d minor units of %s", m.Amount, m.Currency)
	}
	return a.String()
}

// Price writes an amount for customers, in English: "$12.99". It returns an error for an unknown currency: a customer must
// not read a guess.
func Price(m money.Money) (string, error) {
	a, err := currency.NewAmountFromInt64(m.Amount, m.Currency)
	if err != nil {
		return "", fmt.Errorf("write the price %s: %w", m, err)
	}
	return currency.NewFormatter(currency.NewLocale("en")).Format(a), nil
}

// Decimals returns the number of decimals of each currency that Plain and Price know.
func Decimals() map[string]int {
	decimals := map[string]int{}
	for _, code := range currency.GetCurrencyCodes() {
		digits, _ := currency.GetDigits(code)
		decimals[code] = int(digits)
	}
	return decimals
}
