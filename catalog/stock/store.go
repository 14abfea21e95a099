package stock

import (
	"context"
	"time"
)

// Store keeps reservations and the stock of products. Every method is one atomic operation on one document, or a read
// that promises nothing about several documents together. Reads see every write that was answered before they began.
//
// An error from a method that writes means that the write may have happened, or may happen yet.
type Store interface {
	// Insert stores a new reservation. It returns ErrExists when there is one with this ID.
	Insert(ctx context.Context, r Reservation) error
	// Reservation returns the reservation with this ID, or ErrNotFound.
	Reservation(ctx context.Context, id string) (Reservation, error)
	// Change moves a reservation from one state to another, adds the step, and returns it as it is afterwards. It reports
	// false when there is no such reservation in that state.
	Change(ctx context.Context, c Change) (Reservation, bool, error)
	// Due returns reservations that need somebody's attention, oldest first.
	Due(ctx context.Context, q Due) ([]Reservation, error)
	// States returns the states of the reservations among ids that exist.
	States(ctx context.Context, ids []string) (map[string]State, error)

	// View returns what the products look like to one reservation. Products that never existed are missing.
	View(ctx context.Context, reservationID string, productIDs []string) (map[string]View, error)
	// Apply changes a product's counters and one mark, when its guard holds; otherwise it reports false and changes
	// nothing.
	Apply(ctx context.Context, u Update) (Applied, bool, error)
	// Marks returns all marks of a product, by reservation.
	Marks(ctx context.Context, productID string) (map[string]Mark, error)
	// Prune removes marks of a product and raises its epoch, provided that every one of them is still as given;
	// otherwise it reports false and changes nothing.
	Prune(ctx context.Context, productID string, marks map[string]Mark) (bool, error)
	// Counters returns a product's units, also of a deleted product, or ErrProduct.
	Counters(ctx context.Context, productID string) (Counters, error)
}

// Change is a compare-and-set of a reservation's state.
type Change struct {
	ID   string
	From State
	To   State
	// UnexpiredAt, unless zero, is one more guard: the reservation expires after this time.
	UnexpiredAt time.Time
	// Why and Shortages are stored with To = RELEASING, and From as well.
	Why       Why
	Shortages []Shortage
	At        time.Time // becomes UpdatedAt
}

// Due asks for reservations in one of the States that, as far as they are not zero,
type Due struct {
	States       []State
	ExpiredBy    time.Time // expire at or before this time
	UnchangedFor time.Time // were last changed at or before this time
	ProductID    string    // want this product
	Limit        int
}

// View is a product as one reservation sees it.
type View struct {
	Available int64
	Epoch     int64
	Mark      Mark // of the reservation
	Marks     int  // of all reservations
	Deleted   bool // no longer for sale; units can still be given back
}

// Update is a guarded change of one product. The counters change by the amounts given, and the reservation's mark is
// set. It applies only where the reservation's mark is Want, and where Want is NoMark, only in the given Epoch. An
// update that lowers Available (see Takes) applies only while that much is available, the product is not deleted and
// it carries fewer than MaxMarks marks.
type Update struct {
	ProductID   string
	Reservation string
	Want        Mark
	Epoch       int64
	Set         Mark

	Available, Held, Sold, Restocked int64

	Recount int // by how much the number of marks that a store may keep beside them was wrong; see Delta
}

// Takes reports whether the update takes units out of what is for sale.
func (u Update) Takes() bool { return u.Available < 0 }

// Applied is what a product looks like after an Update.
type Applied struct {
	Epoch int64
	Marks int
}

// MaxMarks bounds the marks on one product, and so the size of its document. Pruning keeps it far below; it is reached
// only when that many orders are at work on one product at once.
const MaxMarks = 400
