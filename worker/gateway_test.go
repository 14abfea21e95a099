package worker

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ordersaga/ordersaga/internal/stripe"
)

func TestWrongKeyIsSaidAtStartAndAGatewayThatIsAwayIsNot(t *testing.T) {
	t.Parallel()
	const key = "sk_test_never_show_this"
	for status, want := range map[int]string{200: "", 401: "STRIPE_API_KEY", 403: "STRIPE_API_KEY", 500: "", 429: ""} {
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			body := `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: ` + key + `"}}`
			if status == 200 {
				body = `{"object":"list","data":[],"has_more":false,"url":"/v1/payment_intents"}`
			}
			_, _ = w.Write([]byte(body))
		}))
		payments, err := stripe.New(stripe.Config{URL: gateway.URL, Key: key}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		err = checkGateway(t.Context(), payments.Check, slog.New(slog.DiscardHandler))
		if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), key)) {
			t.Errorf("%d: got %v, want an error that names %q", status, err, want)
		}
		gateway.Close()
	}
	away := func(context.Context) error { return context.DeadlineExceeded }
	if err := checkGateway(t.Context(), away, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("a gateway that is away: %v", err)
	}
}
