package money_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/internal/money"
)

func TestNewRejectsNegativeAmountsAndMalformedCurrencies(t *testing.T) {
	t.Parallel()
	for _, m := range []money.Money{{Amount: 1, Currency: ""}, {Amount: 1, Currency: "usd"}, {Amount: 1, Currency: "US1"},
		{Amount: 1, Currency: "USDX"}, {Amount: -1, Currency: "USD"}} {
		if _, err := money.New(m.Amount, m.Currency); err == nil {
			t.Errorf("New(%d, %q) succeeds, want an error", m.Amount, m.Currency)
		}
	}
	if m, err := money.New(0, "JPY"); err != nil || m.IsZero() {
		t.Errorf("New(0, JPY) = %v, %v; want zero yen, a known amount", m, err)
	}
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	_, err := money.Money{Amount: 1, Currency: "USD"}.Plus(money.Money{Amount: 1, Currency: "EUR"})
	if !errors.Is(err, money.ErrCurrencyMismatch) {
		t.Errorf("USD + EUR: got %v, want ErrCurrencyMismatch", err)
	}
}

// TestArithmeticIsExactOrAnError compares with numbers of any size.
func TestArithmeticIsExactOrAnError(t *testing.T) {
	t.Parallel()
	amounts := rapid.OneOf(rapid.Int64Range(0, 10_000), rapid.Int64Range(0, math.MaxInt64))
	rapid.Check(t, func(t *rapid.T) {
		a := money.Money{Amount: amounts.Draw(t, "a"), Currency: "USD"}
		b := money.Money{Amount: amounts.Draw(t, "b"), Currency: "USD"}
		n := int(amounts.Draw(t, "n"))
		sum, err := a.Plus(b)
		exact(t, "sum", new(big.Int).Add(big.NewInt(a.Amount), big.NewInt(b.Amount)), sum, err)
		product, err := a.Times(n)
		exact(t, "product", new(big.Int).Mul(big.NewInt(a.Amount), big.NewInt(int64(n))), product, err)
	})
}

func exact(t *rapid.T, what string, want *big.Int, got money.Money, err error) {
	switch {
	case !want.IsInt64() && !errors.Is(err, money.ErrOverflow):
		t.Errorf("%s %s does not fit, got %v, %v", what, want, got, err)
	case want.IsInt64() && (err != nil || got.Amount != want.Int64()):
		t.Errorf("%s is %s, got %v, %v", what, want, got, err)
	}
}

func ExampleMoney_Times() {
	total, err := money.Money{Amount: 1299, Currency: "USD"}.Times(3)
	fmt.Println(total, err)
	// Output: 3897 USD <nil>
}
