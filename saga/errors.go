package saga

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// refusedType is the Temporal error type that tells a refusal from everything else, in histories as well.
const refusedType = "Refused"

// Refuse returns the error with which an activity says a final no. Operators see code and message; details are for the
// saga's own code, which reads them with [Refusal]. They must survive JSON.
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

// Refusal fills details with those of the refusal in err. It reports whether err holds a refusal with such details.
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

// NeedsAttention returns the error with which an activity says that only a person can put it right, for example a wrong
// password. The saga then needs attention at once, without patience, and goes on trying.
func NeedsAttention(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), attentionType, temporal.ApplicationErrorOptions{Cause: err})
}

// CauseKind says why a saga turns to its fence.
type CauseKind string

// The kinds of causes.
const (
	Refused     CauseKind = "REFUSED"     // a step got a final no
	Cancelled   CauseKind = "CANCELLED"   // the workflow was cancelled, or the context that the saga runs on
	TimedOut    CauseKind = "TIMED_OUT"   // the pivot was not passed in time
	GivenUp     CauseKind = "GIVEN_UP"    // an operator sent SignalCompensate
	Stopped     CauseKind = "STOPPED"     // a step returned ErrStop: the end was already decided
	Failed      CauseKind = "FAILED"      // a step's own workflow code returned an error; activities never lead here
	Interrupted CauseKind = "INTERRUPTED" // an earlier workflow of the same saga ended without finishing it
)

// Cause is why a saga turns to its fence: the first cause; what fails afterwards never replaces it.
type Cause struct {
	Kind CauseKind
	Step string  // the step that was running or about to run
	Err  error   // the step's error, when Kind is Refused or Failed
	By   Command // the operator's command, when Kind is GivenUp
}

// ErrStop is returned by a step that finds the saga's end already decided; the fence then says how.
var ErrStop = errors.New("the saga's end is already decided")

var errTimedOut = errors.New("the saga's deadline has passed")

func (r *run) causeOf(step string, err error) Cause {
	c := Cause{Step: step, Err: err}
	switch {
	case errors.Is(err, errGivenUp):
		c.Kind, c.By = GivenUp, *r.given
	case errors.Is(err, ErrStop):
		c.Kind = Stopped
	case errors.Is(err, errTimedOut):
		c.Kind = TimedOut
	case temporal.IsCanceledError(err):
		c.Kind = Cancelled
	case IsRefused(err):
		c.Kind = Refused
	default:
		c.Kind = Failed
	}
	return c
}
