package stripe

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/bojanz/currency"
	stripego "github.com/stripe/stripe-go/v86"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
)

func TestAmountsAreCountedAsStripeCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		amount  money.Money
		want    int64
		refused bool
	}{
		{amount: money.Money{Amount: 1299, Currency: "USD"}, want: 1299},
		{amount: money.Money{Amount: 500, Currency: "JPY"}, want: 500},   // no decimals in either
		{amount: money.Money{Amount: 1500, Currency: "KWD"}, want: 1500}, // three decimals, the last is 0
		{amount: money.Money{Amount: 1501, Currency: "KWD"}, refused: true},
		{amount: money.Money{Amount: 500, Currency: "ISK"}, want: 50_000}, // whole krónur, charged as hundredths
		{amount: money.Money{Amount: 1 << 62, Currency: "UGX"}, refused: true},
		{amount: money.Money{Amount: 1200, Currency: "MGA"}, want: 12}, // hundredths, charged as whole ariary
		{amount: money.Money{Amount: 1250, Currency: "MGA"}, refused: true},
	} {
		got, err := smallestUnits(test.amount)
		var refusal *order.Refusal
		if errors.As(err, &refusal) != test.refused || got != test.want {
			t.Errorf("%s: %d, %v; want %d, refused %t", test.amount, got, err, test.want, test.refused)
		}
	}
}

// TestEveryCurrencyHasTheDecimalsThatStripeCountsIn compares ISO 4217, which prices follow, with what Stripe documents.
func TestEveryCurrencyHasTheDecimalsThatStripeCountsIn(t *testing.T) {
	t.Parallel()
	decimals := map[string]int{ // of Stripe's smallest unit; two by default
		"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "JPY": 0, "KMF": 0, "KRW": 0, "MGA": 0, "PYG": 0, "RWF": 0, "VND": 0, "VUV": 0,
		"XAF": 0, "XOF": 0, "XPF": 0,
		"BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3,
	}
	payments := &Payments{}
	for _, code := range currencies {
		want, special := decimals[code]
		if !special {
			want = 2
		}
		digits, known := currency.GetDigits(code)
		if !known {
			t.Errorf("%s is not in ISO 4217", code)
			continue
		}
		twelve := money.Money{Amount: 12, Currency: code} // whole units
		for range digits {
			twelve.Amount *= 10
		}
		if err := payments.Chargeable(twelve); err != nil {
			t.Errorf("%s cannot be charged: %v", twelve, err)
		}
		units := int64(12)
		for range want {
			units *= 10
		}
		if got, err := smallestUnits(twelve); err != nil || got != units {
			t.Errorf("%s is %d of Stripe's units, want %d (%v)", twelve, got, units, err)
		}
		if back := minorUnits(units, code); back != twelve.Amount {
			t.Errorf("%d of Stripe's units are %d %s, want %s", units, back, code, twelve)
		}
	}
}

func TestAmountsThatCanNeverBeChargedAreRefusedWithoutAsking(t *testing.T) {
	t.Parallel()
	for _, m := range []money.Money{
		{Amount: 100, Currency: "XAU"}, {Amount: 100, Currency: "usd"}, {Amount: 100}, {Currency: "USD"}, {Amount: -1, Currency: "USD"},
		{Amount: 1501, Currency: "KWD"}, {Amount: 1250, Currency: "MGA"}, {Amount: math.MaxInt64, Currency: "ISK"},
	} {
		var refusal *order.Refusal
		if err := (&Payments{}).Chargeable(m); !errors.As(err, &refusal) || refusal.Cause.Reason != order.InvalidAmount {
			t.Errorf("%s: %v, want a refusal", m, err)
		}
	}
}

func TestErrorsAreSortedIntoRefusedAndBroken(t *testing.T) {
	t.Parallel()
	const invalid, card, api = stripego.ErrorTypeInvalidRequest, stripego.ErrorTypeCard, stripego.ErrorTypeAPI
	for name, test := range map[string]struct {
		err  stripego.Error
		want order.Reason // "" is broken
	}{
		"declined": {stripego.Error{HTTPStatusCode: 402, Type: card, Code: "card_declined"}, order.PaymentDeclined},
		"too small": {
			stripego.Error{HTTPStatusCode: 400, Type: invalid, Code: "amount_too_small", Param: "amount"}, order.InvalidAmount,
		},
		"unknown currency":       {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "currency"}, order.InvalidAmount},
		"unknown payment method": {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "payment_method"}, order.PaymentDeclined},
		"unknown parameter":      {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "wrong"}, ""},
		"other parameters":       {stripego.Error{HTTPStatusCode: 400, Type: stripego.ErrorTypeIdempotency}, ""},
		"wrong key":              {stripego.Error{HTTPStatusCode: 401, Type: invalid}, ""},
		"forbidden":              {stripego.Error{HTTPStatusCode: 403, Type: invalid, Param: "amount"}, ""},
		"not found": {
			stripego.Error{HTTPStatusCode: 404, Type: invalid, Code: "resource_missing", Param: "payment_method"}, "",
		},
		"in use":   {stripego.Error{HTTPStatusCode: 409, Type: invalid, Code: "idempotency_key_in_use"}, ""},
		"too many": {stripego.Error{HTTPStatusCode: 429, Type: invalid, Code: "lock_timeout"}, ""},
		"down":     {stripego.Error{HTTPStatusCode: 503, Type: api}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := order.Reason("")
			if refusal := asRefusal(&test.err); refusal != nil {
				got = refusal.Cause.Reason
			}
			if got != test.want {
				t.Errorf("refused as %q, want %q", got, test.want)
			}
		})
	}
}

func TestARejectedKeyNeedsAttentionAtOnce(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 402, 403, 404, 409, 429, 500, 503} {
		want := status == 401 || status == 403
		err := wrapOrder("charge", order.Payment{}, &stripego.Error{HTTPStatusCode: status, Type: stripego.ErrorTypeInvalidRequest})
		var response *Error
		if !errors.As(err, &response) || response.NeedsAttention() != want {
			t.Errorf("%d needs attention at once: %t, want %t", status, !want, want)
		}
	}
}

func TestAnUnknownPaymentNeedsAttentionAtOnce(t *testing.T) {
	t.Parallel()
	err := wrap("refund", &stripego.Error{HTTPStatusCode: 400, Code: stripego.ErrorCodeResourceMissing})
	var response *Error
	if !errors.As(err, &response) || !response.NeedsAttention() || !strings.Contains(err.Error(), "another account") {
		t.Errorf("%v", err)
	}
}

func TestErrorsShowNothingSecret(t *testing.T) {
	t.Parallel()
	const secret = "pi_1_secret_abc"
	for name, err := range map[string]error{
		"the whole response": &stripego.Error{
			HTTPStatusCode: 400, Type: stripego.ErrorTypeInvalidRequest,
			Msg:           "No such intent: " + secret + " with sk_test_51Habc and card 4242 4242 4242 4242",
			PaymentIntent: &stripego.PaymentIntent{ClientSecret: secret},
		},
		"a key in the message":   &stripego.Error{HTTPStatusCode: 401, Msg: "Invalid API Key provided: sk_test_51Habc"},
		"an unreadable response": errors.New("couldn't deserialize JSON (body sample: " + secret + " sk_test_51Habc 4242424242424242)"),
		"the transport":          &url.Error{Op: "Post", URL: "http://sk_test_51Habc@host/" + secret, Err: http.ErrHandlerTimeout},
	} {
		got := wrap("charge", err).Error()
		for _, s := range []string{secret, "51Habc", "4242"} {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q appears in: %s", name, s, got)
			}
		}
		if !strings.HasPrefix(got, "charge: ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
