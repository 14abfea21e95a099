// Package product is what the shop sells: names, prices and categories. How many units there are is the business of
// package stock; a product shows only how many can be bought now.
package product

import (
	"errors"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// Product is something that can be bought.
type Product struct {
	ID          string
	Name        string
	Description string
	Category    string
	Price       money.Money // of one unit
	Stock       int64       // units that can be bought now
	Number      int64       // grows with every product that is created; the newest has the highest
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Details are what can be changed about a product.
type Details struct {
	Name        string
	Description string
	Category    string
	Price       money.Money
}

// Patch changes those details that are not nil.
type Patch struct {
	Name        *string
	Description *string
	Category    *string
	Price       *money.Money
}

// Filter narrows a listing; nil and empty mean: any. Prices are bounds in minor units, included, of any currency.
type Filter struct {
	Category string
	Words    []string // all of them are in the name, the rarest best first; see Words
	MinPrice *int64
	MaxPrice *int64
	// WordsLast says that the words are so common that stores had better look up the rest of the filter.
	WordsLast bool
}

// Priced reports whether the filter bounds prices.
func (f Filter) Priced() bool { return f.MinPrice != nil || f.MaxPrice != nil }

// MaxPrice is the highest price that there can be, in minor units.
const MaxPrice = 1_000_000_000_000

// Prices are the bounds, 0 and MaxPrice where there are none.
func (f Filter) Prices() (lowest, highest int64) {
	lowest, highest = 0, MaxPrice
	if f.MinPrice != nil {
		lowest = *f.MinPrice
	}
	if f.MaxPrice != nil {
		highest = *f.MaxPrice
	}
	return lowest, highest
}

// Query asks for a part of a listing.
type Query struct {
	Filter
	Before  int64 // only products with a lower Number; 0: all
	Skip    int
	Limit   int
	Matches int64 // about how many products pass the filter, so that a store knows how best to find them
}

// Page is a part of a listing, newest products first.
type Page struct {
	Products []Product
	Total    int64     // products that pass the filter, as counted at Counted
	Counted  time.Time // see CountAge
	Number   int       // of this page, from 1
	Limit    int       // products on a page
}

// Pages is the number of pages.
func (p Page) Pages() int64 { return (p.Total + int64(p.Limit) - 1) / int64(p.Limit) }

// Answers that are not failures.
var (
	ErrNotFound  = errors.New("no such product")
	ErrExists    = errors.New("the product exists, or existed")
	ErrOpenHolds = errors.New("units of the product are held for orders")
	ErrCurrency  = errors.New("no such currency")
)
