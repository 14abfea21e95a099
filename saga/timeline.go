package saga

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// EntryKind says what an entry of the timeline is about.
type EntryKind string

// The kinds of entries.
const (
	EntryDone           EntryKind = "DONE"
	EntryUndone         EntryKind = "UNDONE"
	EntryRefused        EntryKind = "REFUSED"
	EntryNotDone        EntryKind = "NOT_DONE"        // cancelled, too late, given up, failed for good, or found decided
	EntryOmitted        EntryKind = "OMITTED"         // the step is optional, and the saga goes on without it
	EntryFellBack       EntryKind = "FELL_BACK"       // the fast path broke here; regular activities from here
	EntryNeedsAttention EntryKind = "NEEDS_ATTENTION" // stays broken; see Attention
	EntryHealed         EntryKind = "HEALED"          // it needed attention and is settled
	EntryGivenUp        EntryKind = "GIVEN_UP"        // it needed attention and was given up or skipped
	EntrySkipped        EntryKind = "SKIPPED"         // an operator skipped it, and must now do by hand what it would have done
	EntryCommand        EntryKind = "COMMAND"         // an operator's command that was carried out
)

// Entry is a line of what happened in the saga.
type Entry struct {
	Saga   string    `json:"saga"` // the plan's name
	Step   string    `json:"step,omitempty"`
	Kind   EntryKind `json:"kind"`
	At     time.Time `json:"at"`               // workflow time
	Detail string    `json:"detail,omitempty"` // an error or a command, for operators
}

// QueryTimeline is the query that returns the timeline of all sagas of a workflow, as a list of [Entry].
const QueryTimeline = "saga-timeline"

// Timeline returns what has happened so far in the saga that ctx belongs to, oldest first. Plans store it with their own
// transitions, so that it costs no round trip.
func Timeline(ctx workflow.Context) []Entry {
	s, ok := scopeOf(ctx)
	if !ok {
		return nil
	}
	return s.run.timeline
}

func (r *run) note(ctx workflow.Context, step string, kind EntryKind, detail string) {
	e := Entry{Saga: r.plan.name(), Step: step, Kind: kind, At: workflow.Now(ctx), Detail: detail}
	r.timeline = append(r.timeline, e)
	r.host.timeline = append(r.host.timeline, e)
}

// noteResult notes that a step was done or undone, as kind says, unless err says that it was not.
func (r *run) noteResult(ctx workflow.Context, step string, kind EntryKind, err error) {
	switch {
	case err == nil:
		r.note(ctx, step, kind, "")
	case IsRefused(err):
		r.note(ctx, step, EntryRefused, rootMessage(err))
	default:
		r.note(ctx, step, EntryNotDone, rootMessage(err))
	}
}
