package moneytext_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/moneytext"
)

func TestAmountsHaveTheDecimalsOfTheirCurrency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amount       money.Money
		plain, price string // price is empty for an error
	}{
		{money.Money{Amount: 1299, Currency: "USD"}, "12.99 USD", "$12.99"},
		{money.Money{Amount: 123456789, Currency: "EUR"}, "1234567.89 EUR", "€1,234,567.89"},
		{money.Money{Amount: 2598, Currency: "JPY"}, "2598 JPY", "¥2,598"},
		{money.Money{Amount: 1234, Currency: "KWD"}, "1.234 KWD", "KWD\u00a01.234"},
		{money.Money{Amount: 0, Currency: "USD"}, "0.00 USD", "$0.00"},
		{money.Money{}, "–", ""},
		{money.Money{Amount: 7, Currency: "QQQ"}, "7 minor units of QQQ", ""},
	} {
		if got := moneytext.Plain(tt.amount); got != tt.plain {
			t.Errorf("Plain(%s) = %q, want %q", tt.amount, got, tt.plain)
		}
		got, err := moneytext.Price(tt.amount)
		if got != tt.price || (err == nil) != (tt.price != "") {
			t.Errorf("Price(%s) = %q, %v; want %q", tt.amount, got, err, tt.price)
		}
	}
}

func TestDecimalsAreThoseOfPlain(t *testing.T) {
	t.Parallel()
	decimals := moneytext.Decimals()
	for code, want := range map[string]int{"USD": 2, "JPY": 0, "KWD": 3} {
		if got, known := decimals[code]; !known || got != want {
			t.Errorf("%s has %d decimals, known: %t; want %d", code, got, known, want)
		}
	}
	if _, known := decimals["QQQ"]; known {
		t.Error("QQQ is known")
	}
}

// The list is ISO 4217's. CLDR and browsers differ from it.
func TestDecimalsAreThoseOfISO4217(t *testing.T) {
	t.Parallel()
	want := map[string]int{}
	for decimals, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		for code := range strings.FieldsSeq(codes) {
			want[code] = decimals
		}
	}
	got := moneytext.Decimals()
	maps.DeleteFunc(got, func(_ string, decimals int) bool { return decimals == 2 })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
