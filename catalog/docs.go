package catalog

import "github.com/ordersaga/ordersaga/internal/httpapi"

const description = `Products, prices and stock.

Reservations, commits, returns and releases take effect once, however often a request is repeated and in whatever order requests
arrive. Errors are problems (RFC 9457); [/problems](/problems) explains every type.`

// scopesHelp explains the scopes of tokens.
const scopesHelp = "Scope " + scopeManager + ": change products and their stock. Scope " + scopeReservations +
	": reserve, commit, return and release stock for orders. Looking at products and prices needs no token."

// texts describe members and parameters in the OpenAPI document.
var texts = httpapi.Texts{
	Fields: map[string]string{
		"Price.amount": "In minor units of ISO 4217: cents of USD, fillér of HUF, whole JPY. Divide by the decimals of ISO 4217; " +
			"those of a browser's Intl.NumberFormat differ for some currencies, HUF, COP and IDR among them.",
		"Price.currency": "An ISO 4217 code.",

		"Product.price": "The price of one unit.",
		"Product.stock": "Units that can be bought now.",
		"NewProduct.id": "Chosen by you, so that creating is repeatable; without one, the server makes one. " +
			"The ID of a deleted product cannot be used again.",
		"NewProduct.stock":        "Initial units.",
		"ProductPage.products":    "Newest first.",
		"ProductPage.currentPage": "Absent if the request has a cursor.",
		"ProductPage.nextCursor":  "Send it as cursor to get the next page. Absent after the last product.",
		"ProductPage.total":       "Products that pass the filter.",
		"ProductPage.countedAt": "When total and totalPages were counted: at most 5 seconds ago, or up to 5 minutes " +
			"if there is much to count.",
		"ProductPrice.price": "The price of one unit.",

		"listProducts.category": "Only products in this category.",
		"listProducts.minPrice": "Only products that cost at least this, in minor units.",
		"listProducts.maxPrice": "Only products that cost at most this, in minor units.",
		"listProducts.q": "Only products whose names contain all of these words: whole words, in any case and form, and signs " +
			"such as ☕. Punctuation is no word.",
		"listProducts.cursor": "nextCursor of the page before: equally fast at any depth. Leave out page then.",
		"listProducts.limit":  "Products on a page.",

		"ReservationRequest.lines":     "Lines with the same product are summed.",
		"ReservationRequest.expiresAt": "When the units are given back unless they are sold; at most 30 days from now.",
		"Reservation.reason":           "Why the units were given back.",
		"Reservation.lines":            "One line per product.",
		"Reservation.returns":          "Units that came back after they were sold, oldest first.",
		"*.orderId":                    "The order's ID.",
		"*.returnId":                   "Chosen by you. Repeating a return with its ID returns nothing more.",
		"ReturnRequest.lines":          "Lines with the same product are summed.",
		"ReturnLine.writeOff":          "How many of the units are not for sale again, such as broken ones.",
		"ReturnedLine.writeOff":        "How many of the units are not for sale again.",

		"*.ETag":     "The version of the product's details, for If-Match. Its stock may change without another one.",
		"*.If-Match": "The ETag of the product as you know it, or * for any version. PUT and PATCH require it.",

		"restockProduct.Idempotency-Key": "Repeating a call with its key adds nothing.",
		"correctStock.Idempotency-Key":   "Repeating a call with its key changes nothing.",
		"Correction.quantity":            "Units found (positive) or lost (negative). Units that orders hold cannot be taken away.",
		"Correction.reason":              "Kept with the movement.",
		"Stock.available":                "Units that can be bought now.",
		"Stock.held":                     "Units held for orders in progress.",
		"Stock.initial":                  "Units when the product was created.",
		"Stock.restocked":                "Units added since, less what corrections took away and returns wrote off.",
	},
	Patterns: map[string]string{
		productIDPattern: "1 to 64 letters, digits, dots, underscores and hyphens",
		"^[A-Z]{3}$":     "an ISO 4217 code",
		"^[0-9]+$":       "nextCursor of another page",
		`^[\x21-\x7e]+$`: "visible ASCII characters",
		"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$": "a UUID in lower case",
	},
}
