// Package catalogclient is a client of the catalog's HTTP API, with the types that go over the wire. It needs nothing
// else of this module, so other programs can use it as it is.
//
//	catalog, err := catalogclient.New(catalogclient.Options{BaseURL: "http://127.0.0.1:4002", Log: log})
//	quotes, err := catalog.PriceProducts(ctx, []string{"espresso-machine"})
//
// Every call may be repeated safely: reservations, commits, returns and releases take effect once.
//
// # Errors
//
// A *Problem is the response of a working catalog; compare its Type with the constants. An *Unauthorized means that the
// catalog does not accept our token (AUTH_MODE=jwt): a person has to fix that. An *Unavailable says when to try again.
// After any other error the call may have had its effect.
//
// # The circuit breaker
//
// Every call goes through one circuit breaker. It spares a failing catalog the load, and its callers the wait:
//
//	          at least 10 calls in 10 s, half or more failed
//	┌────────┐ ─────────────────────────────────────────────▶ ┌──────┐   no request leaves; errors say when to
//	│ closed │                                                │ open │   try again (Unavailable)
//	└────────┘ ◀──── it succeeded ──── ┌───────────┐ ◀─────── └──────┘
//	                                   │ half-open │   30 s       ▲
//	                                   └─────┬─────┘              │
//	                              one probe  └──── it failed ─────┘
//
// A call fails when no complete response arrives within its timeout (3 s), or when the status is 5xx. Any other status
// (401, 404, 409, 429, …) shows that the catalog works. A call that its caller cancelled is not counted.
//
// # Prices while the catalog is down
//
// PriceProducts falls back on the last prices that this client has seen while they are fresh (5 min). It never makes up
// a price: if it has never seen a product, or not lately, it returns the error.
package catalogclient
