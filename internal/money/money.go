// Package money holds amounts as whole minor units of one currency (1299 USD is $12.99). Arithmetic never rounds and
// never wraps around: it returns an error rather than a wrong number. Package moneytext writes amounts for people.
package money

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrCurrencyMismatch is returned when amounts of two currencies meet in one sum.
var ErrCurrencyMismatch = errors.New("currencies differ")

// ErrOverflow is returned when a result does not fit into an int64 of minor units.
var ErrOverflow = errors.New("amount too large")

// Money is an amount in minor units of an ISO 4217 currency. The zero value means "no amount known".
type Money struct {
	Amount   int64  `json:"amount"`   // minor units: cents for USD, whole yen for JPY
	Currency string `json:"currency"` // ISO 4217 alphabetic code, upper case
}

// New returns amount minor units of currency. It checks the shape of the code (three upper-case letters). The
// catalog checks that the currency exists, because prices enter the system there.
func New(amount int64, currency string) (Money, error) {
	m := Money{Amount: amount, Currency: currency}
	return m, m.Validate()
}

// Validate reports an error unless the currency has the shape of an ISO 4217 code and the amount is not negative.
func (m Money) Validate() error {
	if len(m.Currency) != 3 {
		return fmt.Errorf("currency %q: want three upper-case letters", m.Currency)
	}
	for i := range 3 {
		if c := m.Currency[i]; c < 'A' || c > 'Z' {
			return fmt.Errorf("currency %q: want three upper-case letters", m.Currency)
		}
	}
	if m.Amount < 0 {
		return fmt.Errorf("amount %d: must not be negative", m.Amount)
	}
	return nil
}

// IsZero reports whether m is the zero value: no amount is known. Zero dollars is a known amount.
func (m Money) IsZero() bool { return m == Money{} }

// Times returns m multiplied by a quantity, or ErrOverflow.
func (m Money) Times(quantity int) (Money, error) {
	if m.Amount < 0 || quantity < 0 {
		return Money{}, fmt.Errorf("%d × %d: negative", m.Amount, quantity)
	}
	high, low := bits.Mul64(uint64(m.Amount), uint64(quantity))
	if high != 0 || low > maxInt64 {
		return Money{}, fmt.Errorf("%s × %d: %w", m, quantity, ErrOverflow)
	}
	return Money{Amount: int64(low), Currency: m.Currency}, nil
}

// Plus returns the sum of m and n, or ErrCurrencyMismatch or ErrOverflow. Adding to the zero value returns n.
func (m Money) Plus(n Money) (Money, error) {
	if m.IsZero() {
		return n, nil
	}
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("%s + %s: %w", m, n, ErrCurrencyMismatch)
	}
	sum := m.Amount + n.Amount
	if (n.Amount > 0) != (sum > m.Amount) && n.Amount != 0 {
		return Money{}, fmt.Errorf("%s + %s: %w", m, n, ErrOverflow)
	}
	return Money{Amount: sum, Currency: m.Currency}, nil
}

// String shows the amount in minor units, for logs and errors: "1299 USD". It is exact, and alike for every currency.
func (m Money) String() string { return fmt.Sprintf("%d %s", m.Amount, m.Currency) }

const maxInt64 = 1<<63 - 1
