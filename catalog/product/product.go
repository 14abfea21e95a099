// Package product holds what the catalog says about products: names, prices and categories. Package stock keeps their
// units; a product only shows how many can be bought now.
package product

import (
	"errors"
	"time"

	"github.com/ordersaga/ordersaga/internal/money"
)

// Product is a product in the catalog. The tags name the fields of its document.
type Product struct {
	ID          string      `bson:"_id"`
	Name        string      `bson:"name"`
	Description string      `bson:"description"`
	Category    string      `bson:"category"`
	Price       money.Money `bson:"price"`     // of one unit
	Stock       int64       `bson:"available"` // units that can be bought now
	Number      int64       `bson:"number"`    // the newest product has the highest
	Version     int64       `bson:"version"`   // of its details: 1, and one more with every change
	CreatedAt   time.Time   `bson:"createdAt"`
	UpdatedAt   time.Time   `bson:"updatedAt"`
}

// Versions are those in which a product is changed or deleted; nil means any. They keep a caller from overwriting a change
// that it has not seen.
type Versions []int64

// Patch changes the details that are not nil.
type Patch struct {
	If          Versions
	Name        *string
	Description *string
	Category    *string
	Price       *money.Money
}

// Filter narrows a listing; zero and empty mean any. The bounds on prices are in minor units of any currency.
type Filter struct {
	Category string
	Words    []string // the name contains all of them; a store does best with the rarest first; see func Words
	MinPrice int64
	Below    int64 // prices are lower than this
	// WordsLast says that the words are so common that a store should look up the rest of the filter in an index.
	WordsLast bool
}

// Priced reports whether the filter bounds prices.
func (f Filter) Priced() bool { return f.MinPrice > 0 || f.Below > 0 }

// MaxPrice is the highest possible price, in minor units.
const MaxPrice = 1_000_000_000_000

// Query asks for a part of a listing.
type Query struct {
	Filter
	Before  int64 // only products with a lower Number; 0 means all
	Skip    int
	Limit   int
	Matches int64 // approximately how many products pass the filter, which helps a store choose an index
}

// Page is a part of a listing, newest products first.
type Page struct {
	Products []Product
	Total    int64     // products that pass the filter, as counted at Counted
	Counted  time.Time // see CountAge
	Number   int       // of this page, from 1
	Limit    int       // products on a page
}

// Pages returns the number of pages.
func (p Page) Pages() int64 { return (p.Total + int64(p.Limit) - 1) / int64(p.Limit) }

// Refusals. After any other error the outcome is unknown.
var (
	ErrNotFound  = errors.New("no such product")
	ErrExists    = errors.New("the product exists or existed")
	ErrOpenHolds = errors.New("units of the product are held for orders")
	ErrCurrency  = errors.New("no such currency")
	ErrChanged   = errors.New("the product has another version")
)
