package order

import "time"

// Entry is a line of an order's timeline: a step, an undo, a transition or an operator's action. Records of steps are
// collected by the saga and stored in the transaction of its next transition, so that the timeline costs no round trip.
type Entry struct {
	Type EntryType `json:"type"`
	At   time.Time `json:"at"`
	// Step names what was done, as in ReserveStock; empty for transitions of the order itself.
	Step string `json:"step,omitempty"`
	// Detail is a short text for operators: a refusal, what is broken, an operator's reason.
	Detail string `json:"detail,omitempty"`
}

// StoredEntry is an entry as a store keeps it. IDs only grow within the timeline of one order.
type StoredEntry struct {
	ID int64
	Entry
}

// Change is an order with what was added to its timeline since somebody looked, oldest first; both as of one moment.
type Change struct {
	Order   Order
	Entries []StoredEntry
}

// EntryType says what a Entry is about.
type EntryType string

// The types of records. The first five are written by the transitions themselves.
const (
	EntryCreated   EntryType = "CREATED"
	EntryClosing   EntryType = "CLOSING" // fenced; undos follow
	EntryConfirmed EntryType = "CONFIRMED"
	EntryFailed    EntryType = "FAILED"
	EntryCancelled EntryType = "CANCELLED"

	EntryStepDone       EntryType = "STEP_DONE"
	EntryStepRefused    EntryType = "STEP_REFUSED"    // refused, cancelled, or too late
	EntryStepFellBack   EntryType = "STEP_FELL_BACK"  // the fast path broke; retried as a regular activity from here
	EntryNeedsAttention EntryType = "NEEDS_ATTENTION" // stays broken; still being tried
	EntryHealed         EntryType = "HEALED"
	EntryUndone         EntryType = "UNDONE"
	EntrySkipped        EntryType = "SKIPPED"  // an operator had an undo or an announcement left out
	EntryOperator       EntryType = "OPERATOR" // an operator asked for a retry or to give up
	EntryRefunded       EntryType = "REFUNDED" // money was given back outside of the saga
)
