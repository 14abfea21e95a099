package order

import "time"

// Entry is a line of an order's timeline: a step, an undo, a transition or a command. The saga collects the entries of its
// steps and stores them in the transaction of its next transition, so that the timeline costs no round trip.
type Entry struct {
	Type EntryType `json:"type"`
	At   time.Time `json:"at"`
	// Step names what was done, for example ReserveStock; empty for transitions of the order itself.
	Step string `json:"step,omitempty"`
	// Detail is a short text for operators: a refusal, what is broken, an operator's reason.
	Detail string `json:"detail,omitempty"`
}

// StoredEntry is an entry as a store keeps it. IDs only grow within the timeline of one order.
type StoredEntry struct {
	ID int64
	Entry
}

// Change is an order with the entries added to its timeline since a reader last looked, oldest first; both as of one moment.
type Change struct {
	Order   Order
	Entries []StoredEntry
}

// EntryType says what an entry is about.
type EntryType string

// The types of entries. The transitions themselves write the first five.
const (
	EntryCreated   EntryType = "CREATED"
	EntryPriced    EntryType = "PRICED"  // it was created without prices, because the catalog could not price it then
	EntryClosing   EntryType = "CLOSING" // fenced; undos follow
	EntryConfirmed EntryType = "CONFIRMED"
	EntryFailed    EntryType = "FAILED"
	EntryCancelled EntryType = "CANCELLED"

	EntryStepDone       EntryType = "STEP_DONE"
	EntryStepRefused    EntryType = "STEP_REFUSED"
	EntryStepNotDone    EntryType = "STEP_NOT_DONE"   // cancelled, too late, given up, or the end was already decided
	EntryStepFellBack   EntryType = "STEP_FELL_BACK"  // the fast path broke; retried as a regular activity from here
	EntryNeedsAttention EntryType = "NEEDS_ATTENTION" // stays broken; still being tried
	EntryHealed         EntryType = "HEALED"
	EntryGivenUp        EntryType = "GIVEN_UP" // it needed attention and was given up or skipped
	EntryUndone         EntryType = "UNDONE"
	EntrySkipped        EntryType = "SKIPPED"  // an operator skipped an undo or a retriable step
	EntryCommand        EntryType = "COMMAND"  // an operator's command that was carried out, or a request to cancel
	EntryRefunded       EntryType = "REFUNDED" // money was given back outside the saga

	EntryRefundBooked    EntryType = "REFUND_BOOKED"
	EntryRefundRefused   EntryType = "REFUND_REFUSED" // by the books, the gateway or an operator
	EntryRefundAccepted  EntryType = "REFUND_ACCEPTED"
	EntryRefundSucceeded EntryType = "REFUND_SUCCEEDED"
	EntryRefundFailed    EntryType = "REFUND_FAILED" // it was accepted, and the money came back
	EntryDisputeOpened   EntryType = "DISPUTE_OPENED"
	EntryDisputeClosed   EntryType = "DISPUTE_CLOSED"
	EntryShipped         EntryType = "SHIPPED"
	EntryDelivered       EntryType = "DELIVERED"
	EntryLost            EntryType = "LOST"
)
