// Package stock holds and sells the units of products for orders, gives them back, and takes returns, so that no unit is
// sold twice and none is lost, whatever crashes, repeats or arrives late. It needs a store that changes one document
// atomically, and no transactions.
//
// # The two documents
//
// A reservation is what one order wants. It is written first and is the truth about the order. A product counts what is
// available. Each order that changes this count leaves a mark on the product in the same atomic update, so that it
// changes it only once.
//
//	reservation {id, state, from, why, lines, returns, expiresAt}
//
//	   reserve                     commit           return
//	  ┌─────────┐        ┌──────┐         ┌──────┐         ┌───────────┐
//	  │ HOLDING ├───────▶│ HELD ├────────▶│ SOLD │◀───────▶│ RETURNING │
//	  └────┬────┘        └──┬───┘         └──┬───┘         └───────────┘
//	       │ short,         │ expired,       │ release
//	       │ expired,       │ release        │
//	       │ release        ▼                │
//	       │      ┌───────────────────────┐  │      ┌───────────────────────────┐
//	       └─────▶│ RELEASING {from, why} │◀─┘  ┌──▶│ RELEASED, the tombstone:  │
//	              └───────────┬───────────┘     │   │ every later reserve fails │
//	                          └─────────────────┘   └───────────────────────────┘
//
//	product {available, epoch, marks: {order: T | T1 | T2 | … | X}}
//
//	   take: available − q, mark T (taken)      give: available + q, mark X (tombstone)
//	   return number g: available + q, mark Tg
//
// HELD, SOLD and RELEASED are at rest: the products agree with them. In the other states a call is at work, or died at
// it; the next one (a repeated call, the Sweeper) finishes the work. SOLD and RETURNING are the only states that come again,
// with every return; the number of returns is the reservation's generation. State and generation together never come again,
// and every change of a reservation names both.
//
// A sale moves no units: whether a taken unit is held or sold, only the reservation knows. So a commit changes only the
// reservation, and Units derives what is held and sold.
//
// # The invariant
//
// At every moment, per product: available = initial + restocked − taken, and available is not negative. taken is the sum
// over the marks T, less what was returned up to the generation of the mark, and for an order whose mark was pruned, over
// what the last rest state of its reservation says. Expected computes exactly this; the tests check it after every single
// step of randomly interleaved calls.
//
// # Returns
//
// A return takes back some units of a sold order, under an ID, so that it happens once. Some of them may be written off:
// they are no longer sold, and not for sale either, so restocked falls by them. Three updates make a return:
//
//	admit    reservation {SOLD, generation g, no return with this ID, returned + q ≤ line} → RETURNING, generation g+1
//	return   product {mark of the last return that touched it, or absent in the epoch read before} → available + q, mark Tg+1
//	settle   reservation {RETURNING, generation g+1} → SOLD
//
// The lines of a reservation never change, and the generation says which returns there are. So a reservation that was read
// in that generation shows how much is left, and the guard of the admission needs to name only state and generation. Only a
// sold reservation admits a return. Another return that is at work is finished first. For a reserve and a commit, which a
// saga without memory may repeat, RETURNING is as good as SOLD. A release gives back what was not returned.
//
// # Marks are bounded: the epoch
//
// Marks of reservations at rest are pruned, so a product that 100,000 orders have bought is as small as a new one. Then
// "no mark" may mean "never touched" or "pruned", and a slow caller must not mistake one for the other. Therefore every
// pruning raises the product's epoch, an update that relies on an absent mark names the epoch that it was planned in,
// and the epoch is read before the reservation is last read or changed: if the mark was pruned since, the update
// misses, and its caller reads again. A stale epoch only costs a round trip. That is why epochs may be cached.
//
// # When a call returns
//
// A call returns at the decision, not at the end of the work. "Held" is decided when every line has the mark T, "sold"
// when the reservation is SOLD, "short" when one product has the mark X. The rest is done in the background, or by the
// next call. A reserve of one known product takes two round trips and a commit one; an order takes four operations of
// the store, and a pruning every 64 orders.
//
// # The ledger
//
// Every change of a reservation's state adds a step to it, in the same atomic update. So the reservations, which are
// never removed, are the ledger: Movements reads them as entries (hold, sale, return, release, restock, correction, repair),
// each with an ID that follows from what it is. This costs no write, no round trip and no transaction, and no second book
// can disagree. The price is the size of the reservations: about 400 bytes an order.
//
// A restock, a correction and a repair are adjustments: documents of their own, of one product, PENDING, then APPLIED;
// or REFUSED, when a correction would take away more than is available. They follow the same rules: the document comes
// first, the product follows and gets a mark, and marks are pruned. Their IDs derive from the product and the
// idempotency key.
//
// An audit compares products with the ledger while orders go on. The marks make that exact without a snapshot of several
// documents:
//
//	read the epoch ──▶ read the product's reservations and adjustments ──▶ read counters, marks and epoch, at one moment T
//
// If the epoch is the same at both ends, no mark was removed in between. Then a reservation that was moved in between
// has a mark at T, which says where its units are at T; and for one without a mark at T, the state that was read still
// holds, because a sale moves nothing. A mark of a return that came after the reservation was read sends the audit to read
// that reservation again. Otherwise the audit reads what changed lately and tries again, until an attempt
// is short enough. It raises no false alarm, however busy the product is; a product whose marks are pruned all the time
// may stay undecided.
//
// A repair is a movement of exactly the drift, so it is right even if orders move units before it is applied. Repairs
// are numbered: of two concurrent ones, one is written.
//
// # What each rule is for
//
// The tombstone of a reservation refuses a reserve that arrives after its order was released. The tombstone on a product
// refuses a take that was planned before the release and arrives after it. A short product gets a tombstone before its
// reservation is given up, so that two concurrent calls for one order agree whether it is short. The compare-and-set on
// expiry decides between expiry and commit; a clock alone decides nothing. The generation in a mark refuses a return that
// was planned before it was made by another call. The generation in the guard of a reservation refuses an admission that was
// planned when more was left, and the end of a return that was already ended, while the next one is at work. Without any one
// of these, units are oversold or lost; the tests take some of them away and fail.
package stock
