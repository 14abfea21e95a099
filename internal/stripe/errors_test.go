package stripe

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	stripego "github.com/stripe/stripe-go/v86"

	"ordersaga/internal/money"
	"ordersaga/internal/order"
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

func TestErrorsAreSortedIntoRefusedAndBroken(t *testing.T) {
	t.Parallel()
	const invalid, card, api = stripego.ErrorTypeInvalidRequest, stripego.ErrorTypeCard, stripego.ErrorTypeAPI
	for name, test := range map[string]struct {
		err  stripego.Error
		want order.Reason // "" is broken
	}{
		"declined":               {stripego.Error{HTTPStatusCode: 402, Type: card, Code: "card_declined"}, order.PaymentDeclined},
		"too small":              {stripego.Error{HTTPStatusCode: 400, Type: invalid, Code: "amount_too_small", Param: "amount"}, order.InvalidAmount},
		"unknown currency":       {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "currency"}, order.InvalidAmount},
		"unknown payment method": {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "payment_method"}, order.PaymentDeclined},
		"unknown parameter":      {stripego.Error{HTTPStatusCode: 400, Type: invalid, Param: "wrong"}, ""},
		"other parameters":       {stripego.Error{HTTPStatusCode: 400, Type: stripego.ErrorTypeIdempotency}, ""},
		"wrong key":              {stripego.Error{HTTPStatusCode: 401, Type: invalid}, ""},
		"forbidden":              {stripego.Error{HTTPStatusCode: 403, Type: invalid, Param: "amount"}, ""},
		"not found":              {stripego.Error{HTTPStatusCode: 404, Type: invalid, Code: "resource_missing", Param: "payment_method"}, ""},
		"in use":                 {stripego.Error{HTTPStatusCode: 409, Type: invalid, Code: "idempotency_key_in_use"}, ""},
		"too many":               {stripego.Error{HTTPStatusCode: 429, Type: invalid, Code: "lock_timeout"}, ""},
		"down":                   {stripego.Error{HTTPStatusCode: 503, Type: api}, ""},
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

func TestErrorsShowNothingSecret(t *testing.T) {
	t.Parallel()
	const secret = "pi_1_secret_abc"
	for name, err := range map[string]error{
		"the whole answer": &stripego.Error{
			HTTPStatusCode: 400, Type: stripego.ErrorTypeInvalidRequest,
			Msg:           "No such intent: " + secret + " with sk_test_51Habc and card 4242 4242 4242 4242",
			PaymentIntent: &stripego.PaymentIntent{ClientSecret: secret},
		},
		"a key in the message": &stripego.Error{HTTPStatusCode: 401, Msg: "Invalid API Key provided: sk_test_51Habc"},
		"an unreadable answer": errors.New("couldn't deserialize JSON (body sample: " + secret + " sk_test_51Habc 4242424242424242)"),
		"the transport":        &url.Error{Op: "Post", URL: "http://sk_test_51Habc@host/" + secret, Err: http.ErrHandlerTimeout},
	} {
		got := wrap("charge", err).Error()
		for _, s := range []string{secret, "51Habc", "4242"} {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q is shown in: %s", name, s, got)
			}
		}
		if !strings.HasPrefix(got, "charge: ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
