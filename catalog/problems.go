package catalog

import (
	"strings"

	wire "github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// The catalog's own types of problems. Package problem has those that every program shares.
var (
	productNotFound = problemType(wire.ProductNotFound, 404, "Unknown product",
		"productIds lists the products that do not exist or are no longer for sale. Leave them out.")
	productExists = problemType(wire.ProductExists, 409, "The product exists",
		"A product has this ID, or had it before it was deleted. Nothing was changed. If you are seeding, go on.")
	productChanged = problemType(wire.ProductChanged, 412, "The product has changed",
		"Another client has changed the product since you got the ETag in If-Match, and nothing was done. Get the product "+
			"again, and repeat your change if it is still right.")
	ifMatchRequired = problemType(wire.IfMatchRequired, 428, "If-Match is required",
		"Send the ETag of the product as you know it in the header If-Match, so that you do not overwrite a change that you have "+
			"not seen; or send * to change the product as it is.")
	productHasHolds = problemType(wire.ProductHasHolds, 409, "Units are held for orders",
		"Orders in progress hold units of the product. Delete it after they are sold or given back.")
	outOfStock = problemType(wire.OutOfStock, 400, "Out of stock",
		"Nothing is held. shortages lists every product that is short, with the units requested and available. "+
			"Order less, as a new order.")
	reservationNotFound = problemType(wire.ReservationNotFound, 404, "Unknown reservation",
		"No units were ever reserved for this order.")
	reservationConflict = problemType(wire.ReservationConflict, 409, "Reserved with other lines",
		"The order has a reservation with other lines. One order reserves once; use another order ID.")
	reservationReleased = problemType(wire.ReservationReleased, 410, "The reservation was released",
		"The order has given its units back, or was given up before it reserved. It cannot reserve again.")
	reservationExpired = problemType(wire.ReservationExpired, 409, "The reservation has expired",
		"The units were not sold in time and are for sale again. The order cannot have them any more.")
	reservationNotSold = problemType(wire.ReservationNotSold, 409, "The order's units are not sold",
		"Only units that an order has bought can be returned. state is the reservation's: units that are held, or were given "+
			"back already, cannot.")
	returnConflict = problemType(wire.ReturnConflict, 409, "Returned with other lines",
		"The order has a return with this ID and other lines. Use a new ID for another return.")
	returnTooLarge = problemType(wire.ReturnTooLarge, 409, "More is returned than was sold",
		"Nothing was returned. excesses lists every product of which too much comes back, with the units requested and those "+
			"left: sold to the order, and not returned yet.")
	keyReused = problemType(wire.KeyReused, 422, "Idempotency key used for something else",
		"Another restock or correction of this product has used the key. Use a new key for a new one.")
	storeUnavailable = problemType(wire.StoreUnavailable, 503, "The catalog's database does not respond",
		"The call may have had an effect. Repeat it after the time in the header Retry-After: reservations, commits, returns, "+
			"releases, restocks and corrections take effect once.")
)

func problemType(uri string, status int, title, advice string) problem.Type {
	return problem.Type{Name: strings.TrimPrefix(uri, problem.Path), Status: status, Title: title, Advice: advice}
}
