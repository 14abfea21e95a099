// Package postgres stores orders in PostgreSQL. An order's row is the truth about the order.
//
// # Transitions
//
// Every decision of a saga is one guarded statement here. The row decides, not the workflow: a workflow can lose its
// memory, and its steps can arrive late or twice.
//
//	             Create                       Confirm
//	(no row) ───────────────▶ PENDING ───────────────────▶ CONFIRMED
//	                         (Create again prices a row without prices)
//	    │                        │
//	    │ Close                  │ Close
//	    ▼                        ▼                Finish
//	PENDING, closing ◀───────────┘──────────────────────▶ FAILED or CANCELLED, by the cause
//
// Close is the fence. A closing order can no longer be confirmed, and a confirmed order can no longer close: Confirm and
// Close race for the same row, one wins, and both callers see in the returned order which one. If Close finds no row, it
// inserts one, which a late Create then finds. The first cause stays.
//
// Every method changes the row only where its guard holds and returns the resulting order. Repeating it is harmless: a
// repetition changes nothing, adds nothing to the timeline, and returns the same.
//
// # One round trip
//
// A transition is a batch of statements in one implicit transaction, sent together: a guarded statement that writes
// the order, its lines and its timeline entries (data-modifying CTEs, so that nothing is written if the guard refuses),
// and a read of the order. The read is a statement of its own because the first statement does not see a row that another
// transaction inserted while it waited; the second one does.
//
// # The books
//
// What happens to a confirmed order is in tables of its own: refunds and disputes (Refunds), and shipments (Shipments). The
// order's row stays as it was announced, and no total is stored: sums are read from the rows, so there is no second book that
// could differ.
//
//	        Book, BookOutside                            Settle: the status only climbs
//	(no row) ─────────────────▶ BOOKED(1) ──▶ REFUSED(2) ──▶ PENDING(3) ──▶ SUCCEEDED(4) ──▶ FAILED(5)
//	    │                                     ▲   │
//	    └── Book that does not fit, Fence ────┘   └─ late: it had happened after all
//
// A wish is guarded, a fact is not. Book and Ship take only what is left; what the gateway has done is recorded whatever the
// sums say, because a guard would refuse what is true.
//
// Whoever sums first locks the order's row, in a statement of its own (lockOrder). All that is summed changes only under that
// lock, so the sums hold until the transaction ends.
//
// # What the database defends
//
// The migration declares the invariants as constraints and triggers: known statuses, final statuses that stay final, a
// first cause that stays, FAILED and CANCELLED only behind the fence, CONFIRMED only in front of it and only if the priced
// lines add up to the total. For the books: statuses that climb, requests and times that never change, bookings and shipments
// that never exceed what is left. The code does not rely on them; they reveal a mistake in it.
//
// The worker owns the schema and migrates it at its start. The role orders_api, if it exists, may only read.
package postgres
