// Package stripe takes payments through the Stripe API: the real one with a test or live key, or the simulator (program
// stripesim), which speaks the same protocol.
//
// # How an order is charged once
//
// A payment takes two calls. The first creates a payment intent, under an idempotency key derived from the order, and moves
// no money. The second confirms the intent by its ID:
//
//	Charge                         Refund
//	  create  key <order>.create.1   create  key <order>.create.1     the same intent, or a new one that is never confirmed
//	  confirm by ID                  cancel  by ID                    from here on a late confirm is refused
//	                                 refund  key <order>.refund.<ID>  only if it had succeeded
//
// Everything rests on one rule: only an intent whose ID was learned is ever confirmed, and every replay of the create learns
// the same ID. A lost response therefore does no harm: Charge runs again, finds the same intent and decides by its status,
// never by what it remembers. And Refund finds the intent that any Charge may have confirmed, or may yet confirm: cancelling
// it is the tombstone that refuses a late confirm. Undoing a charge that never happened leaves a cancelled intent.
//
// # A stored 500
//
// The gateway stores the response to a create under its key, even a 500, and then the key is stuck. A 500 that is marked as
// replayed is such a stored one, for Charge and Refund alike, and both continue with the next key of the same fixed sequence
// (<order>.create.2, …). A 500 that is not marked may still become an intent under that key, so neither continues. If all
// keys are stuck, no ID was ever learned, so nothing was confirmed.
//
// # Old orders
//
// The gateway forgets keys after 24 hours, and a create would then make a second intent. So from 23 hours after the order's
// creation nothing is created any more. Charge only finds out whether the charge has happened. Refund searches for intents by
// the order's ID in their metadata, and trusts an empty result only once everything that was created must be in the search
// index.
//
// # How a part is refunded once
//
// Refunding a confirmed order has no tombstone: a refund cannot be cancelled. So RefundPart never gives up an attempt, it only
// finds out about it. Every refund carries its ID in its metadata, and the gateway's list of a payment's refunds does not lag.
//
//	under 23 h since the booking   POST under <refund>.1; a replayed response is looked up, because the refund may have changed
//	after a replayed 500           list: ours is the outcome; none, and the key is stuck: <refund>.2, …
//	after a refusal                list: ours is the outcome; none: refused
//	from 23 h on                   list first: ours is the outcome; none:
//	  until 24 h                   nothing, because an attempt may be under way whose key is being forgotten
//	  from 24 h on                 POST under the keys of the day, <refund>.d1.1, …, whose last hour is never used
//
// A refusal is final only for the caller: the gateway may not keep it under the key, so a caller that took a refund for
// refused must believe a later look-up that finds it.
//
// # What callers see
//
// A final no of the gateway (declined, needs authentication, cancelled before) is an *order.Refusal with a message for the
// customer. Everything else is broken: an *Error, or the transport's error. Neither contains API keys, client secrets or card
// numbers.
package stripe
