package catalogclient

import "github.com/ordersaga/ordersaga/internal/httpapi/problem"

// The problems that the catalog answers, besides those that every program answers.
var (
	ProductNotFound = problem.Type{
		Name: "product-not-found", Status: 404, Title: "Unknown product",
		Advice: "Leave out the products that productIds names: they do not exist, or are not for sale any more.",
	}
	ProductExists = problem.Type{
		Name: "product-exists", Status: 409, Title: "The product exists",
		Advice: "A product has this ID, or had it before it was deleted. Nothing was changed. When seeding, go on.",
	}
	ProductHasHolds = problem.Type{
		Name: "product-has-holds", Status: 409, Title: "Units are held for orders",
		Advice: "Orders in progress hold units of the product. Delete it when they are sold or given back.",
	}
	OutOfStock = problem.Type{
		Name: "out-of-stock", Status: 400, Title: "Out of stock",
		Advice: "Nothing is held. shortages lists every product of which there is too little, with what was requested and what was available. Order less, as a new order.",
	}
	ReservationNotFound = problem.Type{
		Name: "reservation-not-found", Status: 404, Title: "Unknown reservation",
		Advice: "No units were ever reserved for this order.",
	}
	ReservationConflict = problem.Type{
		Name: "reservation-conflict", Status: 409, Title: "Reserved with other lines",
		Advice: "The order has a reservation with other lines. One order reserves once; use another order ID.",
	}
	ReservationReleased = problem.Type{
		Name: "reservation-released", Status: 410, Title: "The reservation was released",
		Advice: "The order has given its units back, or was given up before it reserved. It cannot reserve again.",
	}
	ReservationExpired = problem.Type{
		Name: "reservation-expired", Status: 409, Title: "The reservation has expired",
		Advice: "The units were not sold in time and are for sale again. The order cannot have them any more.",
	}
	KeyReused = problem.Type{
		Name: "idempotency-key-reused", Status: 422, Title: "Idempotency key used for something else",
		Advice: "The stock of this product was changed under the same key, otherwise. Use a new key for a new restocking or correction.",
	}
	StoreUnavailable = problem.Type{
		Name: "store-unavailable", Status: 503, Title: "The catalog's database does not answer",
		Advice: "The call may have had an effect. Repeat it after the time in the header Retry-After: reservations, commits, releases, restockings and corrections have their effect once.",
	}
)
