package order

import "time"

// Record is a line of an order's timeline: a step, an undo, a transition or an operator's action. Records of steps are
// collected by the saga and stored in the transaction of its next transition, so that the timeline costs no round trip.
type Record struct {
	Type RecordType `json:"type"`
	At   time.Time  `json:"at"`
	// Step names what was done, as in ReserveStock; empty for transitions of the order itself.
	Step string `json:"step,omitempty"`
	// Attempts counts how often the step was tried until then, as far as its saga knows: at least so often (saga.Entry says
	// what may be missing). 0 where nothing was tried.
	Attempts int `json:"attempts,omitempty"`
	// Detail is a short text for operators: a refusal, what is broken, an operator's reason.
	Detail string `json:"detail,omitempty"`
}

// Entry is a record as a store keeps it. IDs only grow within the timeline of one order.
type Entry struct {
	ID int64
	Record
}

// Change is an order with what was added to its timeline since somebody looked, oldest first; both as of one moment.
type Change struct {
	Order   Order
	Entries []Entry
}

// RecordType says what a Record is about.
type RecordType string

// The types of records. The first five are written by the transitions themselves.
const (
	RecordCreated   RecordType = "CREATED"
	RecordClosing   RecordType = "CLOSING" // fenced; undos follow
	RecordConfirmed RecordType = "CONFIRMED"
	RecordFailed    RecordType = "FAILED"
	RecordCancelled RecordType = "CANCELLED"

	RecordStepDone     RecordType = "STEP_DONE"
	RecordStepRefused  RecordType = "STEP_REFUSED"   // refused, cancelled, or too late
	RecordStepFellBack RecordType = "STEP_FELL_BACK" // the fast path broke; retried as a regular activity from here
	RecordInTrouble    RecordType = "IN_TROUBLE"     // stays broken; still being tried
	RecordOutOfTrouble RecordType = "OUT_OF_TROUBLE"
	RecordUndone       RecordType = "UNDONE"
	RecordSkipped      RecordType = "SKIPPED"  // an operator had an undo or an announcement left out
	RecordOperator     RecordType = "OPERATOR" // an operator asked for a retry or to give up
	RecordRefunded     RecordType = "REFUNDED" // money was given back outside of the saga
)
