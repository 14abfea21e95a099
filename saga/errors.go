package saga

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// refusedType is the Temporal error type that tells a refusal from everything else, in histories as well.
const refusedType = "Refused"

// Refuse returns the error with which an activity says a final no. code and message are shown to operators; details
// are handed to whoever asks by [Refusal] and must survive JSON.
func Refuse(code, message string, details any) error {
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%s: %s", code, message), refusedType,
		temporal.ApplicationErrorOptions{
			NonRetryable: true,
			Category:     temporal.ApplicationErrorCategoryBenign,
			Details:      []any{details},
		})
}

// IsRefused reports whether err holds a refusal.
func IsRefused(err error) bool {
	_, ok := refusal(err)
	return ok
}

// Refusal fills details with those of the refusal in err, and reports whether there is one that has such details.
func Refusal(err error, details any) bool {
	app, ok := refusal(err)
	return ok && app.HasDetails() && app.Details(details) == nil
}

func refusal(err error) (*temporal.ApplicationError, bool) {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == refusedType {
		return app, true
	}
	return nil, false
}

// attentionType is the Temporal error type of what only a person can put right.
const attentionType = "NeedsAttention"

// NeedsAttention returns the error with which an activity says that it is broken in a way that only a person can put
// right, such as a wrong password. The saga says so at once, without patience, and goes on trying as in any trouble.
func NeedsAttention(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), attentionType, temporal.ApplicationErrorOptions{Cause: err})
}

// Kind says why a saga turns to its fence.
type Kind string

// The kinds of causes.
const (
	Refused     Kind = "REFUSED"     // a step got a final no
	Cancelled   Kind = "CANCELLED"   // the workflow, or the saga by its Canceller, was cancelled
	DeadlineHit Kind = "TIMED_OUT"   // the pivot was not passed in time
	GivenUp     Kind = "GIVEN_UP"    // an operator sent SignalCompensate
	Stopped     Kind = "STOPPED"     // a step returned ErrStop: it found the saga decided already
	Failed      Kind = "FAILED"      // a step's own workflow code returned an error; activities never lead here
	Interrupted Kind = "INTERRUPTED" // an earlier workflow of the same saga ended without finishing it
)

// Cause is why a saga turns to its fence: the first cause; what fails afterwards never replaces it.
type Cause struct {
	Kind Kind
	Step string  // the step that was running or about to run
	Err  error   // the step's error, when Kind is Refused or Failed
	By   Command // the operator's order, when Kind is GivenUp
}

// ErrStop is returned by a step that finds the saga's end already decided; the fence then says how.
var ErrStop = errors.New("the saga's end is already decided")

var errDeadline = errors.New("the saga's deadline has passed")

func (r *run) causeOf(step string, err error) Cause {
	c := Cause{Step: step, Err: err}
	switch {
	case errors.Is(err, errGivenUp):
		c.Kind, c.By = GivenUp, *r.given
	case errors.Is(err, ErrStop):
		c.Kind = Stopped
	case errors.Is(err, errDeadline):
		c.Kind = DeadlineHit
	case temporal.IsCanceledError(err):
		c.Kind = Cancelled
	case IsRefused(err):
		c.Kind = Refused
	default:
		c.Kind = Failed
	}
	return c
}
