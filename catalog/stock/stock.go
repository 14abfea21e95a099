package stock

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Line is a number of units of one product.
type Line struct {
	ProductID string
	Quantity  int64
}

// Reservation is what one order holds, has bought, or gave back; or an adjustment of one product's stock (a restocking,
// a correction or a repair), which shares the machinery.
type Reservation struct {
	ID        string // the order's ID, or that of an adjustment
	State     State
	From      State  // RELEASING and RELEASED: the state it left
	Why       Why    // RELEASING and RELEASED: what refuses a later reserve
	Lines     []Line // one per product, in product order; nil for a tombstone of an order that never reserved
	ExpiresAt time.Time
	Shortages []Shortage // with Why SHORT: every short product
	Reason    string     // corrections and repairs: why, as somebody said
	Repair    *Delta     // repairs: what it changes
	Steps     []Step     // every change of State, oldest first: what the movements are told from
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Step is a change of a reservation's state, written together with it.
type Step struct {
	To State
	At time.Time
}

// State is where a reservation stands; doc.go has the drawing.
type State string

// The states. ADDING and ADDED are those of an adjustment; one that would take more than there is goes from ADDING to
// RELEASED.
const (
	Holding    State = "HOLDING"
	Held       State = "HELD"
	Committing State = "COMMITTING"
	Sold       State = "SOLD"
	Releasing  State = "RELEASING"
	Released   State = "RELEASED"
	Adding     State = "ADDING"
	Added      State = "ADDED"
)

// Unfinished are the states in which work is left to do on products.
func Unfinished() []State { return []State{Holding, Committing, Releasing, Adding} }

// Expiring are the states that end when their time is up.
func Expiring() []State { return []State{Holding, Held} }

// AtRest reports whether the products agree with the reservation and nothing is left to do.
func (s State) AtRest() bool { return s.rest() == s }

// rest is the state that follows when the work of s is done; s itself when there is none.
func (s State) rest() State {
	switch s {
	case Holding:
		return Held
	case Committing:
		return Sold
	case Releasing:
		return Released
	case Adding:
		return Added
	}
	return s
}

// Why says what ended a reservation.
type Why string

// What can end a reservation.
const (
	WhyReleased Why = "RELEASED" // the order gave it back
	WhyShort    Why = "SHORT"    // a product had too little; nothing was ever held for the order
	WhyExpired  Why = "EXPIRED"
)

// Mark is what an order left on a product. A product without a mark of the order was never touched by it, or its mark
// was pruned.
type Mark string

// The marks.
const (
	NoMark    Mark = ""
	MarkHeld  Mark = "H"
	MarkSold  Mark = "S"
	MarkBar   Mark = "B" // given back, or never to be taken
	MarkAdded Mark = "A" // an adjustment
)

// mark is what a reservation at rest has left on its products.
func (s State) mark() Mark {
	switch s {
	case Held:
		return MarkHeld
	case Sold:
		return MarkSold
	case Released:
		return MarkBar
	case Added:
		return MarkAdded
	}
	return NoMark
}

// Shortage is a product of which there was less than asked for.
type Shortage struct {
	ProductID string
	Requested int64
	Available int64 // when it was refused
}

// Counters are the units of one product.
type Counters struct {
	ProductID string
	Available int64 // can be bought
	Held      int64 // held for orders that are not sold yet
	Sold      int64
	Initial   int64 // when the product was created
	Restocked int64 // added since, less what corrections took away
	Marks     int   // orders that have a mark on the product; pruned down when it grows
}

// Refusals and other answers. Everything else that is returned means that the outcome is unknown and that the call is
// to be repeated, which is always safe.
var (
	ErrNotFound = errors.New("no such reservation")
	ErrProduct  = errors.New("no such product")
	ErrConflict = errors.New("the reservation exists with other lines")
	ErrReleased = errors.New("the reservation was released")
	ErrExpired  = errors.New("the reservation has expired")
	ErrLines    = errors.New("invalid lines")
	ErrReason   = errors.New("a reason must be given")
	// ErrBusy is returned when others kept getting in between; the caller tries again later.
	ErrBusy = errors.New("too much contention on the product")
	// ErrExists is returned by a Store's Insert.
	ErrExists = errors.New("the reservation exists")
)

// ShortError refuses a reserve: nothing is held for the order, and never will be.
type ShortError struct{ Shortages []Shortage }

func (e *ShortError) Error() string {
	var b strings.Builder
	b.WriteString("out of stock:")
	for _, s := range e.Shortages {
		fmt.Fprintf(&b, " %s (%d asked, %d available)", s.ProductID, s.Requested, s.Available)
	}
	return b.String()
}

// UnknownError refuses a reserve of products that do not exist. Nothing is written.
type UnknownError struct{ ProductIDs []string }

func (e *UnknownError) Error() string {
	return "unknown products: " + strings.Join(e.ProductIDs, ", ")
}

// refusal is the answer to a reserve or commit of a reservation that was given back.
func (r Reservation) refusal() error {
	switch r.Why {
	case WhyShort:
		return &ShortError{r.Shortages}
	case WhyExpired:
		return ErrExpired
	}
	return ErrReleased
}

// MaxUnits bounds every counter and quantity, so that no sum of them can wrap around.
const MaxUnits = 1_000_000_000_000

// Sum adds up lines with equal products and puts them into product order, in which they are always taken.
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
