// Package gateway is a payment gateway that speaks the part of the Stripe API that this system uses: payment intents (create,
// confirm, cancel, retrieve, list, search), refunds (create, retrieve, list), disputes (retrieve, list, update, close),
// idempotency keys, error objects, webhooks and Stripe's test payment methods. It moves no money but it remembers: the ledger is
// in PostgreSQL, and its constraints guarantee that an intent succeeds at most once and that no more is refunded than was
// captured. Refunds that fail or are cancelled do not count.
//
// A call with an effect is one transaction:
//
//	POST with Idempotency-Key
//	   │  a call with this key is running ──▶ 409 idempotency_key_in_use
//	   │  key known, other parameters     ──▶ 400 idempotency_error
//	   │  key known, same parameters      ──▶ the stored response, Idempotent-Replayed: true
//	   ▼
//	BEGIN · lock the intent · decide · write ledger and response · COMMIT ──▶ the response
//
// Declines, refusals because of a status and 500s "after the fact" are stored under the key like successes.
// Responses that mean "not begun" are not stored: wrong parameters, 401, 409, 429 and a 500 before any effect.
//
// A call that has begun continues when its client disconnects: a lost response says nothing about the effect. Clients of any
// payment gateway have to live with that, and the faults (see Rule) produce it on demand.
//
// With a webhook configured, the gateway reports payments that have succeeded, refunds and disputes. These payment events are
// signed, written in the transaction of what they report, and sent again until the receiver returns 2xx.
//
// Besides /v1 there are
//
//	GET, PUT /_sim/faults             what goes wrong: a JSON list of Rule; PUT replaces all of them
//	GET /_sim/ledger?order_id=        what was captured and refunded, by order (Ledger)
//	POST /_sim/refunds/{id}           a bank's or the dashboard's change of a refund: status, failure_reason
//	POST /_sim/disputes               a bank's dispute of a payment: payment_intent, reason, status
//	GET /                             payments and refunds as a page
//	GET /livez, /readyz
//
// docs/gateway-simulator.md describes them for operators. Reading these needs no key; changing anything needs the API key, and so
// does /v1. The simulator belongs on loopback or on a private network.
package gateway
