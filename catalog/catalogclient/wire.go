package catalogclient

import "time"

// The types below are the API's JSON, for the server and for this client alike. Their tags hold the rules that the server
// enforces; the descriptions for the OpenAPI document are in catalog/docs.go.

// Price is an amount of money.
type Price struct {
	// Amount is in minor units: cents for USD, whole yen for JPY.
	Amount   int64  `json:"amount" minimum:"0" maximum:"1000000000000" example:"1299"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" example:"USD"`
}

// Product is a product as the API shows it.
type Product struct {
	ID          string    `json:"id" example:"espresso-machine"`
	Name        string    `json:"name" example:"Espresso machine"`
	Description string    `json:"description"`
	Price       Price     `json:"price"`
	Stock       int64     `json:"stock" example:"12"` // units that can be bought now
	Category    string    `json:"category" example:"kitchen"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// NewProduct asks for a product.
type NewProduct struct {
	// ID is chosen by the client, so that creating is repeatable; if it is empty, the server makes one.
	ID          string `json:"id,omitempty" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" example:"espresso-machine"`
	Name        string `json:"name" minLength:"1" maxLength:"200" format:"line" example:"Espresso machine"`
	Description string `json:"description,omitempty" maxLength:"5000" format:"text" example:"Two cups at a time."`
	Price       Price  `json:"price"`
	Stock       int64  `json:"stock,omitempty" minimum:"0" maximum:"1000000000" example:"12"`
	Category    string `json:"category" minLength:"1" maxLength:"100" format:"line" example:"kitchen"`
}

// ProductDetails are all details of a product that can be replaced. Its stock changes only by restocks and corrections.
type ProductDetails struct {
	Name        string `json:"name" minLength:"1" maxLength:"200" format:"line" example:"Espresso machine"`
	Description string `json:"description,omitempty" maxLength:"5000" format:"text" example:"Two cups at a time."`
	Price       Price  `json:"price"`
	Category    string `json:"category" minLength:"1" maxLength:"100" format:"line" example:"kitchen"`
}

// ProductPatch changes the details that are not nil.
type ProductPatch struct {
	Name        *string `json:"name,omitempty" minLength:"1" maxLength:"200" format:"line" example:"Espresso machine"`
	Description *string `json:"description,omitempty" maxLength:"5000" format:"text" example:"Two cups at a time."`
	Price       *Price  `json:"price,omitempty"`
	Category    *string `json:"category,omitempty" minLength:"1" maxLength:"100" format:"line" example:"kitchen"`
}

// ProductPage is one page of a listing.
type ProductPage struct {
	Products    []Product `json:"products" nullable:"false"`
	TotalPages  int64     `json:"totalPages"`
	CurrentPage int       `json:"currentPage,omitempty"`
	NextCursor  string    `json:"nextCursor,omitempty"`
	Total       int64     `json:"total"`
	CountedAt   time.Time `json:"countedAt"`
}

// PricesRequest asks for the prices of many products.
type PricesRequest struct {
	ProductIDs []string `json:"productIds" nullable:"false" minItems:"1" maxItems:"100" example:"[\"espresso-machine\"]"`
}

// Prices are the prices of the requested products, in the order of the request.
type Prices struct {
	Prices []ProductPrice `json:"prices" nullable:"false"`
}

// ProductPrice is what an order needs of a product.
type ProductPrice struct {
	ProductID string `json:"productId"`
	Name      string `json:"name"`
	Price     Price  `json:"price"`
}

// Line is a number of units of a product.
type Line struct {
	ProductID string `json:"productId" minLength:"1" maxLength:"200" example:"espresso-machine"`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"1000000" example:"2"`
}

// ReservationRequest asks to hold units for an order.
type ReservationRequest struct {
	Lines     []Line    `json:"lines" nullable:"false" minItems:"1" maxItems:"100"`
	ExpiresAt time.Time `json:"expiresAt" example:"2026-06-01T00:00:00Z"`
}

// Reservation is the state of an order's units.
type Reservation struct {
	OrderID   string         `json:"orderId"`
	State     string         `json:"state" enum:"HOLDING,HELD,SOLD,RETURNING,RELEASING,RELEASED"`
	Reason    string         `json:"reason,omitempty" enum:"RELEASED,SHORT,EXPIRED"`
	Lines     []ReservedLine `json:"lines" nullable:"false"`
	Returns   []Return       `json:"returns,omitempty" nullable:"false"`
	ExpiresAt time.Time      `json:"expiresAt,omitzero"`
	UpdatedAt time.Time      `json:"updatedAt"`
}

// ReservedLine is the sum of the requested lines with one product.
type ReservedLine struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity" minimum:"1"`
}

// ReturnRequest asks to take back units that an order has bought.
type ReturnRequest struct {
	Lines []ReturnLine `json:"lines" nullable:"false" minItems:"1" maxItems:"100"`
}

// ReturnLine is a number of units of a product that come back. WriteOff of them, at most all, are not for sale again.
type ReturnLine struct {
	ProductID string `json:"productId" minLength:"1" maxLength:"200" example:"espresso-machine"`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"1000000" example:"2"`
	WriteOff  int64  `json:"writeOff,omitempty" minimum:"0" maximum:"1000000" example:"1"`
}

// Return is units of an order that came back.
type Return struct {
	ID    string         `json:"id"`
	Lines []ReturnedLine `json:"lines" nullable:"false"`
}

// ReturnedLine is the sum of the lines of a return with one product.
type ReturnedLine struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity" minimum:"1"`
	WriteOff  int64  `json:"writeOff" minimum:"0"`
}

// Restock asks to add units to a product.
type Restock struct {
	Quantity int64 `json:"quantity" minimum:"1" maximum:"1000000000" example:"24"`
}

// Correction asks to change how many units of a product are available.
type Correction struct {
	Quantity int64  `json:"quantity" minimum:"-1000000000" maximum:"1000000000" example:"-2"`
	Reason   string `json:"reason" minLength:"1" maxLength:"500" format:"line" example:"broken in the warehouse"`
}

// Stock is where the units of a product are. Always, available + held + sold = initial + restocked.
type Stock struct {
	ProductID string `json:"productId"`
	Available int64  `json:"available"`
	Held      int64  `json:"held"`
	Sold      int64  `json:"sold"`
	Initial   int64  `json:"initial"`
	Restocked int64  `json:"restocked"`
}

// Excess is a product with more units in the return than the sale has left. A problem of type ReturnTooLarge lists
// all of them.
type Excess struct {
	ProductID string `json:"productId"`
	Requested int64  `json:"requested"`
	Left      int64  `json:"left"` // sold to the order and not returned yet
}

// Shortage is a product with too few units. A problem of type OutOfStock lists all of them.
type Shortage struct {
	ProductID string `json:"productId"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`
}
