package stock

import (
	"context"
	"time"
)

// Store keeps reservations, adjustments and the stock of products. Every method is one atomic operation on one document,
// or a read that promises nothing about several documents together. A read sees every write that was acknowledged before
// it began.
//
// An error from a method that writes means that the write may have happened, or may still happen.
type Store interface {
	// Insert stores a new reservation. It returns ErrExists if there is one with this ID.
	Insert(ctx context.Context, r Reservation) error
	// Reservation returns the reservation with this ID, or ErrNotFound.
	Reservation(ctx context.Context, id string) (Reservation, error)
	// Change moves a reservation from one state to another, adds the step, and returns the reservation after it. It reports
	// false if there is no such reservation in that state and generation.
	Change(ctx context.Context, c Change) (Reservation, bool, error)
	// Due finds reservations by state, the least recently changed first.
	Due(ctx context.Context, q Due) ([]Reservation, error)

	// InsertAdjustment stores a new adjustment. It returns ErrExists if there is one with this ID.
	InsertAdjustment(ctx context.Context, a Adjustment) error
	// Adjustment returns the adjustment with this ID, or ErrNotFound.
	Adjustment(ctx context.Context, id string) (Adjustment, error)
	// EndAdjustment moves an adjustment from PENDING to another state and returns it. It reports false if it is not PENDING.
	EndAdjustment(ctx context.Context, id string, to AdjustmentState, available int64, at time.Time) (Adjustment, bool, error)
	// PendingAdjustments returns the IDs of up to limit adjustments that have been PENDING since before a time.
	PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error)

	// View returns what the products look like to the owner of a mark. Products that never existed are missing.
	View(ctx context.Context, owner string, productIDs []string) (map[string]View, error)
	// Apply changes a product's counters and one mark if the update's guard holds; otherwise it reports false and changes
	// nothing.
	Apply(ctx context.Context, u Update) (After, bool, error)
	// Prune removes marks of a product and raises its epoch, provided that each of them is still as given; otherwise it
	// reports false and changes nothing.
	Prune(ctx context.Context, productID string, marks map[string]Mark) (bool, error)
	// FinalMarks returns the marks that reservations and adjustments at rest leave on a product, by their IDs. Those that are
	// at work, or do not exist, are missing or have NoMark.
	FinalMarks(ctx context.Context, productID string, owners []string) (map[string]Mark, error)
	// Snapshots returns products, also deleted ones, each read at one moment. Products that never existed are missing.
	Snapshots(ctx context.Context, productIDs []string) (map[string]Snapshot, error)

	// ProductIDs returns the IDs of up to limit products after the given one, in order, also of deleted ones.
	ProductIDs(ctx context.Context, after string, limit int) ([]string, error)
	// Reservations calls yield, in no order, with every reservation that has one of the products in its lines and was
	// changed at or after since. A reservation that changes meanwhile may come in either state. An error of yield ends it.
	Reservations(ctx context.Context, productIDs []string, since time.Time, yield func(Reservation) error) error
	// Adjustments does the same with adjustments of the products.
	Adjustments(ctx context.Context, productIDs []string, since time.Time, yield func(Adjustment) error) error
}

// Change is a compare-and-set of a reservation's state.
type Change struct {
	ID         string
	From       State
	Generation int // how many returns the reservation has; never any before SOLD
	To         State
	// UnexpiredAt, unless zero, is one more guard: the reservation expires after this time.
	UnexpiredAt time.Time
	// Why and Shortages are stored with To = RELEASING, and From as well.
	Why       Why
	Shortages []Shortage
	// Return is added with To = RETURNING, which makes it the next generation.
	Return *Return
	At     time.Time // becomes UpdatedAt
}

// Due asks for reservations in one of the States. The other conditions apply unless they are zero.
type Due struct {
	States       []State
	ExpiredBy    time.Time // they expire at or before this time
	UnchangedFor time.Time // their last change was at or before this time
	ProductID    string    // they want this product
	Limit        int       // 0: all
}

// View is a product as the owner of one mark sees it.
type View struct {
	Available int64
	Epoch     int64
	Mark      Mark // of the owner
	Marks     int  // of all owners
	Deleted   bool // no longer for sale; units can still be given back
}

// Update is a guarded change of one product. It adds the Delta to the counters and sets the owner's mark. It applies only
// where the owner's mark is Was, and if Was is NoMark, only in the given Epoch. An update that lowers Available (see
// Takes) applies only while that many units are available, the product is not deleted, and it has fewer than MaxMarks
// marks.
type Update struct {
	ProductID string
	Owner     string // ID of a reservation or an adjustment
	Was       Mark
	Epoch     int64
	Set       Mark
	Delta
}

// Delta is by how much an update changes counters.
type Delta struct {
	Available int64 `bson:"available"`
	Restocked int64 `bson:"restocked"`
	Marks     int   `bson:"marks"` // repairs only: the error of the number of marks that a store may keep beside them
}

// Takes reports whether the update takes units away from what is available.
func (u Update) Takes() bool { return u.Available < 0 }

// After is what a product looks like after an Update.
type After struct {
	Epoch int64
	Marks int
}

// MaxMarks bounds the marks on one product, and so the size of its document. Pruning keeps their number far below; it is
// only reached when that many orders are at work on one product at once.
const MaxMarks = 400

// Counters are what a product's document counts.
type Counters struct {
	ProductID string `bson:"_id"`
	Available int64  `bson:"available"` // units that can be bought
	Initial   int64  `bson:"initial"`   // units when the product was created
	Restocked int64  `bson:"restocked"` // units added since, less what corrections took away and returns wrote off
	MarkCount int    `bson:"markCount"` // so that guards need not count the marks
}

// Snapshot is what a product's document says about its stock at one moment.
type Snapshot struct {
	Counters `bson:",inline"`
	Epoch    int64           `bson:"epoch"`
	Marks    map[string]Mark `bson:"marks"` // by owner
	Deleted  bool            `bson:"deleted"`
}

// View returns what the product looks like to the owner of a mark.
func (p Snapshot) View(owner string) View {
	return View{Available: p.Available, Epoch: p.Epoch, Mark: p.Marks[owner], Marks: p.MarkCount, Deleted: p.Deleted}
}
