package stock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Adjustment is a change of one product's stock that no order asked for: a restock, a correction or a repair.
type Adjustment struct {
	ID        string          `bson:"_id"`
	ProductID string          `bson:"productId"`
	Kind      Kind            `bson:"kind"` // MovedRestock, MovedCorrection or MovedRepair
	Delta     Delta           `bson:"delta"`
	Reason    string          `bson:"reason,omitempty"` // of corrections and repairs, in an operator's words
	State     AdjustmentState `bson:"state"`
	Available int64           `bson:"available"` // REFUSED: how many units were available
	CreatedAt time.Time       `bson:"createdAt"`
	UpdatedAt time.Time       `bson:"updatedAt"`
}

// AdjustmentState is how far an adjustment is.
type AdjustmentState string

// The states of an adjustment. It starts PENDING and ends as one of the others.
const (
	Pending AdjustmentState = "PENDING"
	Applied AdjustmentState = "APPLIED"
	Refused AdjustmentState = "REFUSED" // it would have taken away more than was available
)

// Mark is what an adjustment at rest has left on its product.
func (s AdjustmentState) Mark() Mark {
	switch s {
	case Applied:
		return MarkApplied
	case Refused:
		return MarkRefused
	}
	return NoMark
}

// Restock adds units to a product, once per key.
//
// Errors: ErrProduct; ErrConflict if the key was used with another quantity; ErrLines.
func (s *Service) Restock(ctx context.Context, productID, key string, quantity int64) (_ Units, err error) {
	defer wrap(&err, "restock product %s", productID)
	if quantity <= 0 {
		return Units{}, ErrLines
	}
	return s.adjusted(ctx, Adjustment{ProductID: productID, Kind: MovedRestock, Delta: added(quantity)}, key)
}

// Correct changes what is available by a quantity that may be negative, once per key: units that were counted, found,
// broken or lost. The reason is kept with the movement. Units that orders hold cannot be taken away.
//
// Errors: *ShortError if less is available than the correction takes away (nothing changes, and the key is used up);
// ErrProduct; ErrConflict if the key was used with another quantity or reason; ErrLines; ErrReason.
func (s *Service) Correct(ctx context.Context, productID, key string, quantity int64, reason string) (_ Units, err error) {
	defer wrap(&err, "correct the stock of product %s", productID)
	if reason == "" {
		return Units{}, ErrReason
	}
	return s.adjusted(ctx, Adjustment{ProductID: productID, Kind: MovedCorrection, Delta: added(quantity), Reason: reason}, key)
}

func added(quantity int64) Delta { return Delta{Available: quantity, Restocked: quantity} }

// adjusted returns the product's units after an adjustment.
func (s *Service) adjusted(ctx context.Context, a Adjustment, key string) (Units, error) {
	if err := s.adjust(ctx, a, key); err != nil {
		return Units{}, err
	}
	return s.Units(ctx, a.ProductID)
}

// adjust makes an adjustment, or finds that it was made.
func (s *Service) adjust(ctx context.Context, a Adjustment, key string) error {
	units := a.Delta.Available
	if a.Delta == (Delta{}) || max(units, -units) > MaxUnits {
		return fmt.Errorf("%w: %d of product %q", ErrLines, units, a.ProductID)
	}
	views, err := s.store.View(ctx, "", []string{a.ProductID})
	if err != nil {
		return err
	}
	if v, ok := views[a.ProductID]; !ok || v.Deleted && a.Kind != MovedRepair {
		return ErrProduct
	}
	a.ID = adjustmentID(a.Kind, a.ProductID, key)
	a.State, a.CreatedAt = Pending, s.now()
	a.UpdatedAt = a.CreatedAt
	if err := s.store.InsertAdjustment(ctx, a); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	done, err := s.finishAdjustment(ctx, a.ID)
	switch {
	case err != nil:
		return err
	case done.Delta != a.Delta || done.Reason != a.Reason:
		return ErrConflict
	case done.State == Refused:
		return &ShortError{[]Shortage{{ProductID: a.ProductID, Requested: -units, Available: done.Available}}}
	}
	return nil
}

// adjustmentID derives an ID without dots, which can be part of a field's name.
func adjustmentID(kind Kind, productID, key string) string {
	sum := sha256.Sum256([]byte(productID + "\x00" + key))
	return strings.ToLower(string(kind)) + "-" + hex.EncodeToString(sum[:16])
}

// finishAdjustment brings an adjustment to rest, whatever others do meanwhile, and returns it.
func (s *Service) finishAdjustment(ctx context.Context, id string) (Adjustment, error) {
	a, err := s.store.Adjustment(ctx, id)
	for round := 0; err == nil && a.State == Pending && round < maxRounds; round++ {
		var views map[string]View
		if views, err = s.store.View(ctx, a.ID, []string{a.ProductID}); err != nil {
			break
		}
		// Read it after the product: if its mark has been pruned, it is at rest by now.
		if a, err = s.store.Adjustment(ctx, id); err == nil && a.State == Pending {
			a, err = s.advanceAdjustment(ctx, a, views[a.ProductID])
		}
	}
	if err == nil && a.State == Pending {
		err = ErrBusy
	}
	return a, err
}

// advanceAdjustment makes the next step of an adjustment, given how its product looked before it was last read.
func (s *Service) advanceAdjustment(ctx context.Context, a Adjustment, v View) (Adjustment, error) {
	u := Update{ProductID: a.ProductID, Owner: a.ID, Was: NoMark, Epoch: v.Epoch, Set: MarkApplied, Delta: a.Delta}
	state := Applied
	switch {
	case v.Mark == MarkApplied:
		return s.endAdjustment(ctx, a, Applied, 0)
	case v.Mark == MarkRefused:
		return s.endAdjustment(ctx, a, Refused, v.Available)
	case u.Takes() && (v.Deleted || v.Available < -u.Available):
		// The mark comes first, so that every concurrent call sees the same end.
		u.Set, u.Delta, state = MarkRefused, Delta{}, Refused
	case u.Takes() && v.Marks >= MaxMarks:
		return a, s.Prune(ctx, a.ProductID)
	}
	applied, err := s.apply(ctx, u)
	if err != nil || !applied {
		return a, err
	}
	return s.endAdjustment(ctx, a, state, v.Available)
}

// endAdjustment returns the adjustment as it was if another call has ended it first.
func (s *Service) endAdjustment(ctx context.Context, a Adjustment, to AdjustmentState, available int64) (Adjustment, error) {
	if to == Applied {
		available = 0
	}
	ended, won, err := s.store.EndAdjustment(ctx, a.ID, to, available, s.now())
	if err != nil || !won {
		return a, err
	}
	return ended, nil
}
