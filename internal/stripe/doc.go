// Package stripe takes payments through the Stripe API: the real one with a test or live key, or the simulator
// (program stripesim), which speaks the same protocol.
//
// # How an order is charged once
//
// A payment takes two calls. The first creates a payment intent, under an idempotency key that follows from the order,
// and moves no money. The second confirms it by its ID:
//
//	Charge                         Refund
//	  create  key <order>.create.1   create  key <order>.create.1   the same intent, or the one that nobody will confirm
//	  confirm by ID                  cancel  by ID                  from here on a late confirm is refused
//	                                 refund  key <order>.refund.<ID>  only if it had succeeded
//
// Everything rests on one rule: only an intent that was learned by its ID is ever confirmed, and whoever replays the
// create learns the same ID. So an answer that was lost costs nothing: Charge runs again, finds the same intent and
// decides from its status, never from what it remembers. And Refund finds what any Charge may have confirmed, or may yet
// confirm: cancelling the intent is the tombstone that refuses it. Undoing a charge that never happened leaves a
// cancelled intent.
//
// # A stored 500
//
// The gateway keeps the answer of a create under its key, a 500 too; then the key is stuck. An answer that is marked as
// replayed and is a 500 says so, to Charge and Refund alike, and both go on to the next key of the same fixed row
// (<order>.create.2, …). A 500 that is not marked as replayed may still turn into an intent under that key, so nobody
// goes on from it. When all keys are stuck, no ID was ever learned, hence nothing was confirmed.
//
// # Old orders
//
// The gateway forgets keys after 24 hours; a create would then make a second intent. From 23 hours on (counted from the
// order's creation) nothing is created any more. Charge only finds out whether it had happened; Refund searches for
// intents by the order's ID in their metadata, and trusts an empty result only once everything ever created must be in
// the search index.
//
// # What callers see
//
// A final no of the gateway (declined, wants authentication, cancelled before) is an *order.Refusal with words for the
// customer. Everything else is broken: an *Error, or the transport's. Neither holds API keys, client secrets or card
// numbers.
package stripe
