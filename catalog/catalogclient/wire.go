package catalogclient

import "time"

// Price is an amount of money.
type Price struct {
	Amount   int64  `json:"amount" minimum:"0" maximum:"1000000000000" example:"1299" doc:"Minor units: cents for USD, whole yen for JPY."`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" patternDescription:"an ISO 4217 code" example:"USD" doc:"ISO 4217 code."`
}

// Product is a product as it is shown.
type Product struct {
	ID          string    `json:"id" example:"espresso-machine"`
	Name        string    `json:"name" example:"Espresso machine"`
	Description string    `json:"description"`
	Price       Price     `json:"price" doc:"Of one unit."`
	Stock       int64     `json:"stock" example:"12" doc:"Units that can be bought now."`
	Category    string    `json:"category" example:"kitchen"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

// NewProduct asks for a product.
type NewProduct struct {
	ID          string `json:"id,omitempty" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" patternDescription:"1 to 64 letters, digits, dots, underscores and hyphens" example:"espresso-machine" doc:"Chosen by the client, so that creating is repeatable; one is made when it is left out. The ID of a deleted product cannot be used again."`
	Name        string `json:"name" minLength:"1" maxLength:"200" example:"Espresso machine"`
	Description string `json:"description,omitempty" maxLength:"5000" example:"Two cups at a time."`
	Price       Price  `json:"price"`
	Stock       int64  `json:"stock,omitempty" minimum:"0" maximum:"1000000000" example:"12" doc:"Units to begin with."`
	Category    string `json:"category" minLength:"1" maxLength:"100" example:"kitchen"`
}

// ProductDetails are all that can be replaced about a product. Its stock is changed by restocking.
type ProductDetails struct {
	Name        string `json:"name" minLength:"1" maxLength:"200" example:"Espresso machine"`
	Description string `json:"description,omitempty" maxLength:"5000" example:"Two cups at a time."`
	Price       Price  `json:"price"`
	Category    string `json:"category" minLength:"1" maxLength:"100" example:"kitchen"`
}

// ProductPatch changes the details that are given.
type ProductPatch struct {
	Name        *string `json:"name,omitempty" minLength:"1" maxLength:"200" example:"Espresso machine"`
	Description *string `json:"description,omitempty" maxLength:"5000" example:"Two cups at a time."`
	Price       *Price  `json:"price,omitempty"`
	Category    *string `json:"category,omitempty" minLength:"1" maxLength:"100" example:"kitchen"`
}

// ProductPage is one page of a listing.
type ProductPage struct {
	Products    []Product `json:"products" nullable:"false" doc:"Newest first."`
	TotalPages  int64     `json:"totalPages"`
	CurrentPage int       `json:"currentPage,omitempty" doc:"Left out when a cursor was given."`
	NextCursor  string    `json:"nextCursor,omitempty" doc:"Give it as cursor to go on after this page. Left out behind the last product."`
	Total       int64     `json:"total" doc:"Products that pass the filter."`
	CountedAt   time.Time `json:"countedAt" doc:"When total and totalPages were counted: at most 5 seconds ago, or up to 5 minutes where there is much to count."`
}

// PricesRequest asks for the prices of many products.
type PricesRequest struct {
	ProductIDs []string `json:"productIds" nullable:"false" minItems:"1" maxItems:"100" example:"[\"espresso-machine\"]"`
}

// Prices are the prices of the products asked for, in that order.
type Prices struct {
	Prices []ProductPrice `json:"prices" nullable:"false"`
}

// ProductPrice is what an order needs to know about a product.
type ProductPrice struct {
	ProductID string `json:"productId"`
	Name      string `json:"name"`
	Price     Price  `json:"price" doc:"Of one unit."`
}

// Line is a number of units of a product.
type Line struct {
	ProductID string `json:"productId" minLength:"1" maxLength:"200" example:"espresso-machine"`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"1000000" example:"2"`
}

// ReservationRequest asks to hold units for an order.
type ReservationRequest struct {
	Lines     []Line    `json:"lines" nullable:"false" minItems:"1" maxItems:"100" doc:"Equal products are summed."`
	ExpiresAt time.Time `json:"expiresAt" example:"2027-01-01T00:00:00Z" doc:"When the units are given back unless they were sold."`
}

// Reservation is what became of the units of an order.
type Reservation struct {
	OrderID   string    `json:"orderId"`
	State     string    `json:"state" enum:"HOLDING,HELD,COMMITTING,SOLD,RELEASING,RELEASED"`
	Reason    string    `json:"reason,omitempty" enum:"RELEASED,SHORT,EXPIRED" doc:"Why it was given back."`
	Lines     []Held    `json:"lines" nullable:"false" doc:"By product."`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Held is how many units of a product a reservation is about: the sum of the lines that asked for them.
type Held struct {
	ProductID string `json:"productId"`
	Quantity  int64  `json:"quantity" minimum:"1"`
}

// Restocking asks to add units to a product.
type Restocking struct {
	Quantity int64 `json:"quantity" minimum:"1" maximum:"1000000000" example:"24"`
}

// Correction asks to change what is available of a product.
type Correction struct {
	Quantity int64  `json:"quantity" minimum:"-1000000000" maximum:"1000000000" example:"-2" doc:"Units found (above 0) or lost (below 0). Units that orders hold cannot be taken away."`
	Reason   string `json:"reason" minLength:"1" maxLength:"500" example:"broken in the warehouse" doc:"Kept with the movement."`
}

// Stock is where the units of a product are. available + held + sold = initial + restocked, always.
type Stock struct {
	ProductID string `json:"productId"`
	Available int64  `json:"available" doc:"Can be bought now."`
	Held      int64  `json:"held" doc:"Held for orders in progress."`
	Sold      int64  `json:"sold"`
	Initial   int64  `json:"initial" doc:"When the product was created."`
	Restocked int64  `json:"restocked" doc:"Added since, less what corrections took away."`
}

// Shortage is a product of which there is too little; a problem of type out-of-stock lists all of them.
type Shortage struct {
	ProductID string `json:"productId"`
	Requested int64  `json:"requested"`
	Available int64  `json:"available"`
}
