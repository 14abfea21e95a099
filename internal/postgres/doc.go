// Package postgres keeps orders in PostgreSQL: the truth about where an order stands.
//
// # Transitions
//
// Everything that a saga decides, it decides by one guarded statement here. The row is the referee; what a workflow
// remembers is not, because a workflow's memory can be lost and its steps can arrive late or twice.
//
//	             Create                       Confirm
//	(no row) ───────────────▶ PENDING ───────────────────▶ CONFIRMED
//	    │                        │
//	    │ Close                  │ Close
//	    ▼                        ▼                Finish
//	PENDING, closing ◀───────────┘──────────────────────▶ FAILED or CANCELLED, as the cause says
//
// Close is the fence. An order that is closing can no longer be confirmed, and an order that is confirmed can no longer
// close: Confirm and Close race for the same row, one wins, and both callers read from the answer which one. A Close
// that finds no row inserts one, which a late Create then finds. The first cause stays.
//
// Every method changes the row only where its guard holds, and answers with the row as it then is, so it can be
// repeated for ever: a repetition changes nothing, adds nothing to the timeline, and answers the same.
//
// # One round trip
//
// A transition is a batch of two statements in one implicit transaction, sent and answered together: a guarded
// statement that writes the order, its lines and its rows in order_timeline (data-modifying CTEs, so nothing is written
// where the guard refuses), and a read of the order. They are two because the first statement does not see a row that
// somebody else inserted while it waited, but the second one does.
//
// # What the database defends
//
// The migrations declare the invariants as constraints and triggers: known statuses, final statuses that stay final,
// a first cause that stays, FAILED and CANCELLED only behind the fence, CONFIRMED only in front of it and only when the
// priced lines add up to the total. They are not what keeps the code right, but what shows when it is wrong.
//
// The schema belongs to the worker, which migrates it when it starts. The role orders_api, if there is one, may only read.
package postgres
