package saga

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// RefusedType is the Temporal error type of a refusal. Activities and child workflows in other languages refuse with an
// application failure of this type, with the code as its first detail and details of any shape as its second.
const RefusedType = "Refused"

// Refuse returns the error with which an activity, or a step's own code, says a final no. Operators see code and message;
// details are for the saga's own code, which reads them with [Refusal]. They must survive JSON.
func Refuse(code, message string, details any) error {
	both := []any{code, details}
	if details == nil {
		both = both[:1]
	}
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%s: %s", code, message), RefusedType,
		temporal.ApplicationErrorOptions{
			NonRetryable: true,
			Category:     temporal.ApplicationErrorCategoryBenign,
			Details:      both,
		})
}

// IsRefused reports whether err holds a refusal.
func IsRefused(err error) bool {
	_, ok := refusal(err)
	return ok
}

// Refusal returns the code of the refusal in err, and fills details, unless nil, with its details. It reports whether err
// holds a refusal with such details.
func Refusal(err error, details any) (code string, ok bool) {
	app, ok := refusal(err)
	if !ok {
		return "", false
	}
	if app.HasDetails() {
		_ = app.Details(&code) // a refusal without a code is a refusal
	}
	return code, details == nil || app.HasDetails() && app.Details(&code, details) == nil
}

func refusal(err error) (*temporal.ApplicationError, bool) {
	var app *temporal.ApplicationError
	if errors.As(err, &app) && app.Type() == RefusedType {
		return app, true
	}
	return nil, false
}

// NeedsAttentionType is the Temporal error type of what only a person can put right, for activities in other languages.
const NeedsAttentionType = "NeedsAttention"

// NeedsAttention returns the error with which an activity says that only a person can put it right, for example a wrong
// password. The saga then needs attention at once, without patience, and goes on trying.
func NeedsAttention(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), NeedsAttentionType, temporal.ApplicationErrorOptions{Cause: err})
}

// ErrStop is returned by a step that finds the saga's end already decided; the fence then says how.
var ErrStop = errors.New("the saga's end is already decided")

var errTimedOut = errors.New("the saga's deadline has passed")

// IsBroken reports whether err is that of a [Try] whose attempt broke: not a refusal, not a failure for good, and not the end of
// the saga.
func IsBroken(err error) bool {
	var broken brokenError
	return errors.As(err, &broken)
}

type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

// finalError is a failure that trying again does not change, or must not: a bound is reached, or a result is unreadable.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// rootMessage is the text of the innermost error: what went wrong, without the layers around it.
func rootMessage(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	return err.Error()
}

// rootType is the type of the innermost application error, or of a timeout.
func rootType(err error) string {
	var app *temporal.ApplicationError
	switch {
	case errors.As(err, &app) && app.Type() != "":
		return app.Type()
	case temporal.IsTimeoutError(err):
		return "Timeout"
	default:
		return "Unknown"
	}
}
