package saga

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Outcome is how a saga ended. It survives JSON.
type Outcome struct {
	Saga string `json:"saga"` // the plan's name
	End  End    `json:"end"`
	// Cause is the first cause for which the saga turned to its fence; nil when it never did. No undo's error replaces it.
	Cause *Cause        `json:"cause,omitempty"`
	Undos []UndoOutcome `json:"undos,omitempty"` // in the order in which they ended
}

// End is one of the two ends of a saga.
type End string

// The two ends.
const (
	WentForward End = "FORWARD"
	WasUnwound  End = "UNWOUND"
)

// UndoOutcome is how an undo ended.
type UndoOutcome struct {
	Name    string    `json:"name"`
	Outcome EntryKind `json:"outcome"` // EntryUndone, or EntrySkipped by an operator
	At      time.Time `json:"at"`
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
	Failed      CauseKind = "FAILED"      // a step failed for good without being refused
	Interrupted CauseKind = "INTERRUPTED" // an earlier workflow of the same saga ended without finishing it
)

// Cause is why a saga turns to its fence.
type Cause struct {
	Kind    CauseKind `json:"kind"`
	Step    string    `json:"step,omitempty"`    // that was running or about to run
	Code    string    `json:"code,omitempty"`    // of the refusal, or the error's type
	Message string    `json:"message,omitempty"` // what went wrong
	By      *Command  `json:"by,omitempty"`      // the operator's command, when Kind is GivenUp
	Err     error     `json:"-"`                 // the step's error, when Kind is Refused or Failed
}

func (c Cause) String() string {
	out := string(c.Kind)
	if c.Step != "" {
		out += " at " + c.Step
	}
	if c.Message != "" {
		out += ": " + c.Message
	}
	return out
}

// UnwoundType is the type of the application error with which Run reports that the saga was unwound.
const UnwoundType = "Unwound"

// Unwound returns the outcome of the saga that was unwound, if err says so: err comes from [Plan.Run], also across a child
// workflow.
func Unwound(err error) (Outcome, bool) {
	var app *temporal.ApplicationError
	var cancelled *temporal.CanceledError
	var out Outcome
	switch {
	case errors.As(err, &app) && app.Type() == UnwoundType && app.HasDetails():
		return out, app.Details(&out) == nil
	case errors.As(err, &cancelled) && cancelled.HasDetails():
		return out, cancelled.Details(&out) == nil && out.End == WasUnwound
	}
	return out, false
}

// failure is the error of a saga that was unwound. A workflow that returns it ends as cancelled when the saga was, and
// otherwise fails for good, without an alert.
func (o Outcome) failure() error {
	if o.Cause.Kind == Cancelled {
		return temporal.NewCanceledError(o)
	}
	return temporal.NewApplicationErrorWithOptions(o.Cause.String(), UnwoundType, temporal.ApplicationErrorOptions{
		NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign, Details: []any{o},
	})
}

// outcome describes how the saga has ended.
func (r *run) outcome(end End) Outcome {
	out := Outcome{Saga: r.plan.name(), End: end, Cause: r.cause}
	undo := map[string]bool{}
	for _, group := range r.plan.undos() {
		for _, u := range group {
			undo[u.undo.Name] = true
		}
	}
	for _, e := range r.timeline {
		if undo[e.Step] && (e.Kind == EntryUndone || e.Kind == EntrySkipped) {
			out.Undos = append(out.Undos, UndoOutcome{Name: e.Step, Outcome: e.Kind, At: e.At})
		}
	}
	return out
}

// causeOf says why the step's error turns the saga to its fence.
func (r *run) causeOf(step string, err error) *Cause {
	c := &Cause{Step: step, Err: err}
	inner, nested := Unwound(err)
	switch {
	case errors.Is(err, errGivenUp), r.given != nil:
		c.Kind, c.Err = GivenUp, nil
		if c.By = r.given; c.By == nil { // given to the saga around this one
			c.By = r.around.run.giver()
		}
		c.Message = c.By.String()
	case errors.Is(err, ErrStop):
		c.Kind, c.Err = Stopped, nil
	case errors.Is(err, errTimedOut):
		c.Kind, c.Err, c.Message = TimedOut, nil, err.Error()
	case nested:
		c.Kind, c.Code, c.Message = inner.Cause.Kind, inner.Cause.Code, inner.Cause.Message
		c.By = inner.Cause.By
	case temporal.IsCanceledError(err):
		c.Kind, c.Err = Cancelled, nil
	case IsRefused(err):
		c.Kind, c.Message = Refused, rootMessage(err)
		c.Code, _ = Refusal(err, nil)
	default:
		c.Kind, c.Code, c.Message = Failed, rootType(err), rootMessage(err)
	}
	return c
}

// giver is the command that gave up the saga, or one around it.
func (r *run) giver() *Command {
	for ; r != nil; r = r.outer() {
		if r.given != nil {
			return r.given
		}
	}
	return &Command{}
}
