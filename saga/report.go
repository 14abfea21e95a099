package saga

import (
	"time"

	"go.temporal.io/sdk/temporal"
)

// Report says why a saga was unwound, and how each undo ended. It survives JSON.
type Report struct {
	Kind    CauseKind     `json:"kind"`
	Step    string        `json:"step,omitempty"`    // that was running or about to run
	Message string        `json:"message,omitempty"` // of the first cause; no undo's error replaces it
	Undos   []UndoOutcome `json:"undos"`             // in the order in which they ended
}

// UndoOutcome is how an undo ended.
type UndoOutcome struct {
	Name    string    `json:"name"`
	Outcome EntryKind `json:"outcome"` // EntryUndone, EntrySkipped by an operator, or EntryNotDone: its own code failed
	At      time.Time `json:"at"`
	Detail  string    `json:"detail,omitempty"` // an error, for operators
}

// UnwoundType is the type of the error that [Report.Failure] makes.
const UnwoundType = "Unwound"

// Failure returns the error for workflows that should fail when their saga was unwound. It is final, raises no alert, and
// has the report in its details.
func (r Report) Failure() error {
	message := string(r.Kind)
	if r.Step != "" {
		message += " at " + r.Step
	}
	if r.Message != "" {
		message += ": " + r.Message
	}
	return temporal.NewApplicationErrorWithOptions(message, UnwoundType, temporal.ApplicationErrorOptions{
		NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign, Details: []any{r},
	})
}

func (r *run) report(c Cause) Report {
	out := Report{Kind: c.Kind, Step: c.Step, Undos: []UndoOutcome{}}
	if c.Err != nil {
		out.Message = rootMessage(c.Err)
	}
	undo := map[string]bool{}
	for _, u := range r.plan.undos() {
		undo[u.Name] = true
	}
	for _, e := range r.timeline {
		switch e.Kind {
		case EntryUndone, EntrySkipped, EntryRefused, EntryNotDone:
			if undo[e.Step] {
				out.Undos = append(out.Undos, UndoOutcome{Name: e.Step, Outcome: e.Kind, At: e.At, Detail: e.Detail})
			}
		}
	}
	return out
}
