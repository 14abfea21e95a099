// Package catalogclient is how other programs reach the catalog: the types that go over the wire, the problems that it
// answers, and a client.
//
//	catalog, err := catalogclient.New(catalogclient.Options{BaseURL: "http://127.0.0.1:4002", Log: log})
//	lines, err := catalog.PriceItems(ctx, items)
//
// The client speaks the orders' language: a final no of the catalog is an *order.Refusal, every other error means that
// the catalog is broken, or cannot be reached, and that the call is to be repeated, which is always safe.
//
// A catalog that asks for tokens (AUTH_MODE=jwt) wants one with the scope catalog:reservations for everything but prices; see
// TokenFile. When it does not accept ours, the error is an *Unauthorized: broken, until a person has put it right.
//
// Every call goes through one circuit breaker, which protects both sides when the catalog is in trouble:
//
//	          at least 10 calls in 10 s, half or more failed
//	┌────────┐ ─────────────────────────────────────────────▶ ┌──────┐   no request leaves; errors say when to
//	│ closed │                                                │ open │   come back (Unavailable)
//	└────────┘ ◀──── it answered ───── ┌───────────┐ ◀─────── └──────┘
//	                                   │ half-open │   30 s       ▲
//	                                   └─────┬─────┘              │
//	                              one probe  └───── it failed ────┘
//
// A failure is a call that got no answer within its time (3 s, body included) or a 5xx. Everything else (401, 404, 409,
// 429 and the like) is the answer of a living catalog. A call whose caller went away says nothing about the catalog and is
// not counted.
//
// While prices cannot be had, PriceItems answers with the last ones that it saw, as long as they are fresh (5 min). It
// never invents one: when a product was never seen, or too long ago, it returns the error.
package catalogclient
