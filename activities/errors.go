package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
)

// UnavailableType is the Temporal error type of a system that says when it is worth asking again.
const UnavailableType = "Unavailable"

// delayed is implemented by errors that say when the call is worth trying again, such as an open circuit breaker.
type delayed interface{ RetryDelay() time.Duration }

// personal is implemented by errors that may say that only a person can put them right, such as a wrong API key.
type personal interface{ NeedsAttention() bool }

// translate is the border between the domain's errors and Temporal's: a refusal is final, everything else is retried,
// at the time that the error itself names if it names one, and said aloud at once if only a person can help. what says what was being done, and to what.
func translate(err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	var refusal *order.Refusal
	if errors.As(err, &refusal) {
		return saga.Refuse(string(refusal.Cause.Reason), refusal.Cause.Message, refusal.Cause)
	}
	err = fmt.Errorf(what+": %w", append(args, err)...)
	var helpless personal
	if errors.As(err, &helpless) && helpless.NeedsAttention() {
		return saga.NeedsAttention(err)
	}
	var later delayed
	if errors.As(err, &later) {
		return temporal.NewApplicationErrorWithOptions(err.Error(), UnavailableType,
			temporal.ApplicationErrorOptions{NextRetryDelay: later.RetryDelay()})
	}
	return err
}
