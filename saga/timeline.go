package saga

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// EntryKind says what became of a step.
type EntryKind string

// The kinds of entries.
const (
	Done            EntryKind = "DONE"
	Undone          EntryKind = "UNDONE"
	NotDone         EntryKind = "REFUSED"         // refused, cancelled, too late
	FellBack        EntryKind = "FELL_BACK"       // the fast path broke here; regular activities from here
	NeededAttention EntryKind = "NEEDS_ATTENTION" // see Trouble
	Healed          EntryKind = "HEALED"          // it healed
	Skipped         EntryKind = "SKIPPED"         // left out by an operator: what it would have done is theirs to do
	Obeyed          EntryKind = "OBEYED"          // an operator's signal, obeyed
)

// Entry is a line of what the saga has done so far.
type Entry struct {
	Step   string
	Kind   EntryKind
	At     time.Time // workflow time
	Detail string    // an error, for operators
}

// Timeline returns what the saga that ctx belongs to has done so far, oldest first. Plans store it with their own
// transitions, so that it costs no round trip.
func Timeline(ctx workflow.Context) []Entry {
	s, ok := scopeOf(ctx)
	if !ok {
		return nil
	}
	return s.run.timeline
}

func (r *run) note(ctx workflow.Context, step string, kind EntryKind, err error) {
	e := Entry{Step: step, Kind: kind, At: workflow.Now(ctx)}
	if err != nil {
		e.Kind, e.Detail = NotDone, rootMessage(err)
	}
	r.timeline = append(r.timeline, e)
}
