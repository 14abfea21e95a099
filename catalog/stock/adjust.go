package stock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Restock adds units to a product, once for each key. The restocking is a document of its own that shares the states'
// machinery: ADDING, then ADDED.
//
// Errors: ErrProduct; ErrConflict when the key was used with another quantity; ErrLines.
func (s *Service) Restock(ctx context.Context, productID, key string, quantity int64) (Counters, error) {
	err := ErrLines
	if quantity > 0 {
		err = s.adjust(ctx, adjustment{id: restockPrefix + digest(productID, key), productID: productID, quantity: quantity})
	}
	if err != nil {
		return Counters{}, fmt.Errorf("restock product %s: %w", productID, err)
	}
	return s.Counters(ctx, productID)
}

// Correct changes what is available by a quantity that may be negative, once for each key: units that were counted,
// found, broken or lost. The reason is kept with the movement. What orders hold cannot be taken away.
//
// Errors: *ShortError when less is available than is to be taken away (nothing is changed, and the key is used up);
// ErrProduct; ErrConflict when the key was used with another quantity or reason; ErrLines; ErrReason.
func (s *Service) Correct(ctx context.Context, productID, key string, quantity int64, reason string) (Counters, error) {
	err := ErrReason
	if reason != "" {
		err = s.adjust(ctx, adjustment{
			id: correctPrefix + digest(productID, key), productID: productID, quantity: quantity, reason: reason,
		})
	}
	if err != nil {
		return Counters{}, fmt.Errorf("correct the stock of product %s: %w", productID, err)
	}
	return s.Counters(ctx, productID)
}

// adjustment is a change of one product's stock that no order asked for.
type adjustment struct {
	id        string
	productID string
	quantity  int64
	reason    string
	repair    *Delta // of a repair, whose quantity is 0
}

// adjust makes an adjustment, or finds that it was made.
func (s *Service) adjust(ctx context.Context, a adjustment) error {
	if a.repair == nil && a.quantity == 0 || max(a.quantity, -a.quantity) > MaxUnits {
		return fmt.Errorf("%w: %d of product %q", ErrLines, a.quantity, a.productID)
	}
	lines, now := []Line{{ProductID: a.productID, Quantity: a.quantity}}, s.now()
	views, err := s.view(ctx, a.id, lines)
	if err != nil {
		return err
	}
	if v, ok := views[a.productID]; !ok || v.Deleted && a.repair == nil {
		return ErrProduct
	}
	r := Reservation{
		ID: a.id, State: Adding, Lines: lines, Reason: a.reason, Repair: a.repair, CreatedAt: now, UpdatedAt: now,
	}
	err = s.store.Insert(ctx, r)
	if errors.Is(err, ErrExists) {
		views = nil
		r, err = s.store.Reservation(ctx, a.id)
		if err == nil && (!slices.Equal(r.Lines, lines) || r.Reason != a.reason) {
			err = ErrConflict
		}
	}
	if err != nil {
		return err
	}
	if r, err = s.work(ctx, r, views, atRest); err == nil && r.State == Released {
		err = r.refusal()
	}
	return err
}

// adjustment is what a reservation in the state ADDING does to its product.
func (r Reservation) adjustment(line Line) Delta {
	if r.Repair != nil {
		return *r.Repair
	}
	return Delta{Available: line.Quantity, Restocked: line.Quantity}
}

// What the IDs of adjustments begin with. None can be an order's ID, which is a UUID.
const (
	restockPrefix = "restock-"
	correctPrefix = "correct-"
	repairPrefix  = "repair-"
)

// digest makes an ID without dots of anything.
func digest(productID, key string) string {
	sum := sha256.Sum256([]byte(productID + "\x00" + key))
	return hex.EncodeToString(sum[:16])
}
