// Package stock holds, sells and gives back the units of products for orders, so that nothing is ever sold twice and
// nothing is lost, whatever crashes, repeats or comes late. It needs a store that changes one document atomically, and
// no transactions.
//
// # The two documents
//
// A reservation is what one order wants. It is written first and is the truth about the order. A product has three
// counters; each order that touches them leaves a mark in the same atomic update, so that it touches them once.
//
//	reservation {id, state, from, why, lines, expiresAt}
//
//	   reserve          commit
//	  ┌─────────┐      ┌──────┐  ┌────────────┐      ┌──────┐
//	  │ HOLDING ├─────▶│ HELD ├─▶│ COMMITTING ├─────▶│ SOLD │
//	  └────┬────┘      └──┬───┘  └────────────┘      └──┬───┘
//	       │ short,       │ expired,                    │ release
//	       │ expired,     │ release                     │
//	       │ release      ▼                             │
//	       │      ┌───────────────────────┐             │      ┌───────────────────────────┐
//	       └─────▶│ RELEASING {from, why} │◀────────────┘  ┌──▶│ RELEASED, the tombstone:  │
//	              └───────────┬───────────┘                │   │ no later reserve succeeds │
//	                          └────────────────────────────┘   └───────────────────────────┘
//
//	product {available, held, sold, epoch, marks: {order: H | S | B}}
//
//	   take: available → held, mark H      sell: held → sold, mark S      give: back to available, mark B (barred)
//
// HELD, SOLD and RELEASED are at rest: products agree with them. In the other states somebody is at work, or died at
// it; whoever comes next (a repeated call, the Sweeper) finishes. States only ever go forward along the arrows, so the
// state alone guards every change of a reservation.
//
// # The invariant
//
// At every moment, per product: available + held + sold = initial + restocked, where restocked is less what corrections
// took away, and none of the first three is negative. held and sold are the sums over the marks H and S, and for an order
// whose mark was pruned, what the last rest state of its reservation says. Owed computes exactly this; the tests check it
// after every single step of randomly interleaved calls.
//
// # Marks are bounded: the epoch
//
// Marks of reservations at rest are pruned, so a product with 100,000 orders behind it is as small as a new one. Then
// "no mark" may mean "never touched" or "pruned", and a slow caller must not mistake one for the other. So every
// pruning raises the product's epoch, an update that relies on an absent mark names the epoch that it was planned in,
// and the epoch is read before the reservation is last read or changed: if the mark was pruned since, the update
// misses, and its caller reads again. A stale epoch therefore never does harm, it only costs a round trip, which is
// why it may be cached.
//
// # When a call answers
//
// At the decision, not at the end of the work. "Held" is decided when every line carries H, "sold" when the reservation
// is COMMITTING, "short" when one product carries B. What remains is done in the background, or by the next who comes.
// A reserve of one known product takes two round trips, a commit one.
//
// # The ledger
//
// Every change of a reservation's state adds a step to it, in the same atomic update. So the reservations, which are
// never removed, are the ledger: Movements reads them as entries (hold, sale, return, restocking, correction, repair),
// each with an ID that follows from what it is. It costs no write, no round trip and no transaction, and there is no
// second book that could say something else. What grows is the reservations' collection, some 400 bytes an order.
//
// Restockings and corrections are reservations too, of one product: ADDING, then ADDED; or RELEASED, when a correction
// would take away more than is available. Their IDs are made of the product and the idempotency key.
//
// An audit holds products against their reservations while everybody works. The product's marks make that exact without
// a snapshot of several documents:
//
//	read the epoch ──▶ read all reservations that want the product ──▶ read counters, marks and epoch, at one moment T
//
// If the epoch is the same at both ends, no mark was removed in between. Then a reservation that was moved in between
// has a mark at T, which says where its units are at T; and one without a mark at T was not moved, so the state that was
// read holds at T. Otherwise the audit goes on with what changed lately, until an attempt is short enough. It raises no
// false alarm, however busy the product is; one on which marks are pruned all the time may stay undecided.
//
// A repair is a movement like any other, of exactly the drift, and so it is right even if orders move units before it
// is applied. It is numbered: of two repairs at once one is written.
//
// # What each rule is for
//
// The tombstone refuses a reserve that arrives after its order was released. The bar (B) on a product refuses a take
// that was planned before the release and arrives after it. Marking a short product B before giving up makes two
// concurrent calls for one order agree whether it is short. The compare-and-set on expiry decides between expiry and
// commit; a clock alone decides nothing. Taken away, each of these oversells or loses units; the tests take some away
// and fail.
package stock
