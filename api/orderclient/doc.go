// Package orderclient is the Go client of the orders' API.
//
// Everything that it does is safe to repeat, and it repeats by itself: each order is placed under an Idempotency-Key (one
// of its own making unless the caller chose one), so that a request whose answer was lost is sent again, under the same
// key, and there is one order. A caller that wants to survive its own crash chooses the key and stores it first:
//
//	o, err := orders.Place(ctx, orderclient.NewOrder{UserID: 42, Items: items}, orderclient.WithKey(basketID))
//
// What the API refuses is a *Problem, to be told apart by its type:
//
//	var p *orderclient.Problem
//	if errors.As(err, &p) && p.Type == orderclient.PaymentDeclined { … }
//
// An order that is not decided in time is no error: it comes back PENDING, and Watch or Get tell what becomes of it.
package orderclient
