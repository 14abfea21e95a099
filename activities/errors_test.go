package activities

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

type openBreaker struct{}

func (openBreaker) Error() string             { return "the breaker is open" }
func (openBreaker) RetryDelay() time.Duration { return 30 * time.Second }

func TestRefusalIsFinalAndKeepsItsCause(t *testing.T) {
	t.Parallel()
	want := order.Cause{Reason: order.OutOfStock, Message: "too few lamps",
		Shortages: []order.Shortage{{ProductID: "lamp", Requested: 3, Available: 1}}}
	err := translate(&order.Refusal{Cause: want}, "reserve stock for order %s", "7")
	var got order.Cause
	if code, ok := saga.Refusal(err, &got); !ok || code != string(order.OutOfStock) {
		t.Fatalf("%v is not a refusal with the code %s", err, order.OutOfStock)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !app.NonRetryable() || app.Category() != temporal.ApplicationErrorCategoryBenign {
		t.Errorf("%v is not final and benign", err)
	}
}

func TestOtherErrorsAreRetried(t *testing.T) {
	t.Parallel()
	reset := errors.New("connection reset")
	err := translate(reset, "charge order %s", "7")
	if saga.IsRefused(err) || !errors.Is(err, reset) || err.Error() != "charge order 7: connection reset" {
		t.Errorf("got %v", err)
	}
	if translate(nil, "x") != nil {
		t.Error("nil became an error")
	}
}

func TestErrorThatSaysWhenToTryAgainIsRetriedThen(t *testing.T) {
	t.Parallel()
	var app *temporal.ApplicationError
	err := translate(openBreaker{}, "price the items of order %s", "7")
	if !errors.As(err, &app) || app.NextRetryDelay() != 30*time.Second || app.NonRetryable() {
		t.Errorf("got %v", err)
	}
}

type wrongKey bool

func (wrongKey) Error() string          { return "the API key is not accepted" }
func (w wrongKey) NeedsAttention() bool { return bool(w) }

func TestErrorThatOnlyAPersonCanPutRightNeedsAttention(t *testing.T) {
	t.Parallel()
	want := saga.NeedsAttention(errors.New("charge order 7: the API key is not accepted"))
	if got := translate(wrongKey(true), "charge order %s", "7"); got.Error() != want.Error() || saga.IsRefused(got) {
		t.Errorf("got %v, want %v", got, want)
	}
	var app *temporal.ApplicationError
	if err := translate(wrongKey(false), "charge order %s", "7"); errors.As(err, &app) {
		t.Errorf("%v needs attention", err)
	}
}
