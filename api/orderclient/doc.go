// Package orderclient is the Go client of the orders' API.
//
// Every request of the client is safe to repeat, and the client repeats failed requests itself. It places each order under an
// Idempotency-Key, random unless the caller chooses one. If a response is lost, it sends the request again under the same
// key, and there is one order. A caller that must survive its own crash chooses the key and stores it first:
//
//	o, err := orders.Place(ctx, orderclient.NewOrder{UserID: 42, Items: items}, orderclient.WithKey(basketID))
//
// A refusal is a *Problem. Its type says which:
//
//	var p *orderclient.Problem
//	if errors.As(err, &p) && p.Type == orderclient.PaymentDeclined { … }
//
// An order that is not decided in time is not an error: it is returned PENDING, and Watch or Get return its end.
package orderclient
