package stock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The tags of these types name the fields of their documents.

// Line is a number of units of one product.
type Line struct {
	ProductID string `bson:"productId"`
	Quantity  int64  `bson:"quantity"`
}

// Reservation is what one order holds, has bought, or gave back.
type Reservation struct {
	ID        string     `bson:"_id"` // the order's ID
	State     State      `bson:"state"`
	From      State      `bson:"from,omitempty"`  // RELEASING and RELEASED: the state that it left
	Why       Why        `bson:"why,omitempty"`   // RELEASING and RELEASED: why every later reserve is refused
	Lines     []Line     `bson:"lines,omitempty"` // one per product, in product order; none in a tombstone without a reserve
	ExpiresAt time.Time  `bson:"expiresAt,omitempty"`
	Shortages []Shortage `bson:"shortages,omitempty"` // with Why SHORT: every short product
	Returns   []Return   `bson:"returns,omitempty"`   // oldest first; in RETURNING, the last one is at work
	Steps     []Step     `bson:"steps,omitempty"`     // every change of State, oldest first: the movements derive from them
	CreatedAt time.Time  `bson:"createdAt"`
	UpdatedAt time.Time  `bson:"updatedAt"`
}

// Step is a change of a reservation's state, written together with it.
type Step struct {
	To State     `bson:"to"`
	At time.Time `bson:"at"`
}

// State is where a reservation stands; package doc has the drawing.
type State string

// The states of a reservation.
const (
	Holding   State = "HOLDING"
	Held      State = "HELD"
	Sold      State = "SOLD"
	Returning State = "RETURNING" // sold, and the last of its returns is at work
	Releasing State = "RELEASING"
	Released  State = "RELEASED"
)

// Unfinished are the states in which work is left to do on products.
func Unfinished() []State { return []State{Holding, Returning, Releasing} }

// Expiring are the states that end at the reservation's expiry.
func Expiring() []State { return []State{Holding, Held} }

// AtRest reports whether the products agree with the reservation and no work is left.
func (s State) AtRest() bool { return s.rest() == s }

// rest is the state after the work of s, or s itself if there is none to do.
func (s State) rest() State {
	switch s {
	case Holding:
		return Held
	case Returning:
		return Sold
	case Releasing:
		return Released
	}
	return s
}

// Why says what ended a reservation.
type Why string

// What can end a reservation.
const (
	WhyReleased Why = "RELEASED" // the order gave it back
	WhyShort    Why = "SHORT"    // a product had too few units; nothing was ever held for the order
	WhyExpired  Why = "EXPIRED"
)

// Mark is what a reservation or an adjustment, its owner, has left on a product. If there is no mark, the owner has never
// touched the product, or its mark was pruned.
type Mark string

// The marks.
const (
	NoMark        Mark = ""
	MarkTaken     Mark = "T" // a reservation has taken its units; T1, T2 and so on after returns of them, see Taken
	MarkTombstone Mark = "X" // a reservation has given its units back, or must never take them
	MarkApplied   Mark = "A" // an adjustment was applied
	MarkRefused   Mark = "R" // an adjustment was refused
)

// Mark is what a reservation at rest has left on one of its products.
func (r Reservation) Mark(productID string) Mark {
	switch r.State {
	case Held, Sold:
		return r.markOf(productID, r.Generation())
	case Released:
		return MarkTombstone
	}
	return NoMark
}

// Shortage is a product that had fewer available units than requested.
type Shortage struct {
	ProductID string `bson:"productId"`
	Requested int64  `bson:"requested"`
	Available int64  `bson:"available"` // at the refusal
}

// Refusals and other expected errors. After any other error the outcome is unknown; repeating the call is always safe.
var (
	ErrNotFound = errors.New("not found")
	ErrProduct  = errors.New("no such product")
	ErrConflict = errors.New("the reservation exists with other lines")
	ErrReleased = errors.New("the reservation was released")
	ErrExpired  = errors.New("the reservation has expired")
	ErrLines    = errors.New("invalid lines")
	ErrReason   = errors.New("a reason is required")
	ErrTooLong  = errors.New("the reservation would hold its units for too long")
	// ErrBusy means that other calls kept getting in first. Try again later.
	ErrBusy = errors.New("too much contention on the product")
	// ErrExists is returned by the inserts of a Store.
	ErrExists = errors.New("it exists")
)

// ShortError refuses a reserve: nothing is or will be held for the order. It also refuses a correction.
type ShortError struct{ Shortages []Shortage }

func (e *ShortError) Error() string {
	var b strings.Builder
	b.WriteString("out of stock:")
	for _, s := range e.Shortages {
		fmt.Fprintf(&b, " %s (%d requested, %d available)", s.ProductID, s.Requested, s.Available)
	}
	return b.String()
}

// UnknownError refuses a reserve of products that do not exist. Nothing is written.
type UnknownError struct{ ProductIDs []string }

func (e *UnknownError) Error() string {
	return "unknown products: " + strings.Join(e.ProductIDs, ", ")
}

// refusal is the error of a reserve or commit after the reservation has ended.
func (r Reservation) refusal() error {
	switch r.Why {
	case WhyShort:
		return &ShortError{r.Shortages}
	case WhyExpired:
		return ErrExpired
	}
	return ErrReleased
}

// MaxHold is how long a reservation may hold units. A saga's hold is less than an hour; a mistaken date would keep units from
// being sold for years.
const MaxHold = 30 * 24 * time.Hour

// MaxUnits bounds every quantity, so that no sum of them can overflow.
const MaxUnits = 1_000_000_000_000

// Sum adds up lines with the same product and sorts them by product, which is the order in which they are taken.
func Sum(lines []Line) ([]Line, error) {
	if len(lines) == 0 {
		return nil, fmt.Errorf("%w: none", ErrLines)
	}
	sorted := slices.SortedFunc(slices.Values(lines), func(a, b Line) int { return cmp.Compare(a.ProductID, b.ProductID) })
	var out []Line
	for _, l := range sorted {
		if l.ProductID == "" || l.Quantity < 1 || l.Quantity > MaxUnits {
			return nil, fmt.Errorf("%w: %d of product %q", ErrLines, l.Quantity, l.ProductID)
		}
		if n := len(out); n > 0 && out[n-1].ProductID == l.ProductID {
			out[n-1].Quantity += l.Quantity
			continue
		}
		out = append(out, l)
	}
	return out, nil
}

func products(lines []Line) []string {
	ids := make([]string, len(lines))
	for i, l := range lines {
		ids[i] = l.ProductID
	}
	return ids
}
