package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// UnavailableType is the Temporal error type for a system that says when to try again.
const UnavailableType = "Unavailable"

// retryDelayer is implemented by errors that say when to try again, for example an open circuit breaker's.
type retryDelayer interface{ RetryDelay() time.Duration }

// attentionNeeder is implemented by errors that may say that only a person can put them right, for example a wrong API key.
type attentionNeeder interface{ NeedsAttention() bool }

// translate turns the domain's errors into Temporal's. A refusal is final; every other error is retried, at the time that
// it names if it names one. An error that only a person can put right needs attention at once. what says what was being
// done, and to what.
func translate(err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	var refusal *order.Refusal
	if errors.As(err, &refusal) {
		return saga.Refuse(string(refusal.Cause.Reason), refusal.Cause.Message, refusal.Cause)
	}
	err = fmt.Errorf(what+": %w", append(args, err)...)
	var needer attentionNeeder
	if errors.As(err, &needer) && needer.NeedsAttention() {
		return saga.NeedsAttention(err)
	}
	var later retryDelayer
	if errors.As(err, &later) {
		return temporal.NewApplicationErrorWithOptions(err.Error(), UnavailableType,
			temporal.ApplicationErrorOptions{NextRetryDelay: later.RetryDelay()})
	}
	return err
}
