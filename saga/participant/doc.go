// Package participant keeps a participant's side of a saga's contract. A participant is whatever a saga calls: a service
// or an activity that changes a database. This package knows databases and no Temporal, so any service can use it.
//
// # The contract
//
// A saga retries, gives up and comes back late. So a participant must keep these promises, under every crash and race:
//
//   - A step takes effect once, however often it is called; a repeated call returns the result of the first [idempotency].
//   - An undo takes its step back once, and succeeds when there is nothing to take back [null compensation].
//   - Once its undo has succeeded, a step never takes effect again: a call that arrives late is refused [hanging call].
//   - The pivot and the fence of a saga race for one decision: one of them wins, and both learn which.
//
// # Marks
//
// The package keeps them with a mark: a row under the step's idempotency key, written in the same transaction as the step's
// own changes. The mark says what became of the step; after an undo it stays as a tombstone. A mark never returns to an
// earlier state:
//
//	             Do                  Undo
//	(no mark) ───────▶ done {result} ───────▶ undone, the tombstone
//	    │                                       ▲
//	    └───────────────────────────────────────┘
//	               Undo of a step that never took effect
//
//	             Pivot
//	(no mark) ───────▶ forward
//	    │        Fence           Finish
//	    └──────────────▶ backward ───────▶ ended
//
// Two calls with one key wait for each other at the mark: the database locks it until the first transaction ends.
//
// # How to use it
//
// A [Store] brings the database: pgxparticipant for pgx, sqlparticipant for database/sql. An activity that books a room:
//
//	func (h *Hotel) Book(ctx context.Context, in BookRoom) (Booking, error) {
//		b, err := participant.Do(ctx, h.store, in.Key, in, func(tx pgx.Tx) (Booking, error) {
//			tag, err := tx.Exec(ctx, `UPDATE rooms SET free = free - 1 WHERE hotel = $1 AND free > 0`, in.Hotel)
//			if err == nil && tag.RowsAffected() == 0 {
//				err = saga.Refuse("FULL", "no free room", nil)
//			}
//			return Booking{in.Hotel, newNumber()}, err
//		})
//		if errors.Is(err, participant.ErrUndone) {
//			err = saga.Refuse("UNDONE", err.Error(), nil)
//		}
//		return b, err
//	}
//
//	func (h *Hotel) Cancel(ctx context.Context, in saga.Undoing[BookRoom, Booking]) error {
//		return participant.Undo(ctx, h.store, in.Key, func(tx pgx.Tx, b Booking) error {
//			_, err := tx.Exec(ctx, `UPDATE rooms SET free = free + 1 WHERE hotel = $1`, b.Hotel)
//			return err
//		})
//	}
//
// In the workflow, the input of the step has its key:
//
//	saga.Pair("BookRoom", func(ctx workflow.Context) BookRoom { return BookRoom{Key: saga.Key(ctx), Hotel: hotel} },
//		hotels.Book, hotels.Cancel)
//
// The undo gets the result from the mark, even when the saga has lost it. Another service gets the key by its API, for
// example in the header Idempotency-Key.
//
// mongoparticipant needs no transactions: there the mark lives in the document that the step changes. The package
// participanttest checks the promises of any participant, whether it uses this package or not.
//
// # When your own row is the mark
//
// A step costs five round trips in a transaction: begin, claim, the step itself, update, commit. If the step changes a row
// that the saga has to itself, one guarded statement on that row does the same, and the row is the mark. The orders of this
// repository do without marks for that reason: an order's row, with its status, is the mark of the pivot and the fence; a
// reservation's document is the mark of the stock; the gateway knows a payment by its idempotency key. Each of their calls
// costs one round trip, or two, and would cost more with marks of their own. They must keep the same promises, so the tests of
// the orders and of the catalog run participanttest over them. Use marks where a step has no such row: it changes a
// counter, a balance, or rows that others change too.
//
// # What the database must do
//
// A transaction may run at any isolation level from READ COMMITTED upwards. The stores repeat a transaction that PostgreSQL
// aborts because of others, up to ten times. After that the call is broken, and the saga retries it. What a step does
// outside its transaction (a mail, a call to another service) is not covered by the mark.
//
// # Marks that are no longer needed
//
// Marks stay until Prune removes them. Remove a tombstone when no late call can come any more: a process may have been
// paused for hours, so keep it for days. Remove the mark of a done step only when its saga cannot unwind any more: without
// the mark, an undo would believe that the step never took effect, and the effect would stay.
//
// # Compared with DTM's barrier
//
// DTM's sub-transaction barrier keeps the same promises with a row for the step and one for its undo. A step that arrives
// after its undo gets a success there although nothing happened, and a repeated call gets no result; here the first is
// refused, and the second gets the first call's result. One key for two requests goes unnoticed there; here it is an
// error. For MongoDB DTM needs transactions. Its QueryPrepared decides
// about a message as a fence decides about a saga. DTM also supports MySQL and Redis, which this package does not.
package participant
