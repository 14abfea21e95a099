// Package gateway is a payment gateway that speaks the part of the Stripe API that this system uses: payment intents
// (create, confirm, capture, cancel, retrieve, list, search), refunds (create, retrieve, list), idempotency keys, error
// objects and Stripe's test payment methods. It moves no money, but it remembers: the ledger is in PostgreSQL, and its
// constraints defend that an intent succeeds at most once and that no more is refunded than was captured.
//
// A call with effect is one transaction:
//
//	POST with Idempotency-Key
//	   │  key in use by a running call ──▶ 409 idempotency_key_in_use
//	   │  key known, other parameters  ──▶ 400 idempotency_error
//	   │  key known, same parameters   ──▶ the stored answer, Idempotent-Replayed: true
//	   ▼
//	BEGIN · lock the intent · decide · write ledger and answer · COMMIT ──▶ the answer
//
// Declines, refusals because of an intent's state and 500s "after the fact" are stored under the key like successes.
// Answers that mean "not begun" are not: wrong parameters, 401, 409, 429 and a 500 before any effect.
//
// A call that has begun goes on when its client hangs up: an answer that never arrived says nothing about the effect.
// That is what clients of a payment gateway have to live with, and what the faults (see Rule) produce on demand.
//
// With a webhook configured, the gateway reports payments that have succeeded and charges that were refunded: signed
// events, written in the transaction of what they report and sent again until they are answered with 2xx.
//
// Besides /v1 there are
//
//	PUT, GET, DELETE /_sim/faults     what goes wrong: a JSON list of Rule, replaced as a whole
//	GET /_sim/ledger?order_id=        what was captured and refunded, per order, for checkers (Ledger)
//	GET /                             payments and refunds as a page
//	GET /livez, /readyz
//
// Whoever may connect may read; changing anything needs the API key, as /v1 does. It belongs on loopback or a private
// network.
package gateway
