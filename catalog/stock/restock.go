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
	if err := s.restock(ctx, productID, key, quantity); err != nil {
		return Counters{}, fmt.Errorf("restock product %s: %w", productID, err)
	}
	return s.Counters(ctx, productID)
}

func (s *Service) restock(ctx context.Context, productID, key string, quantity int64) error {
	lines, err := Sum([]Line{{ProductID: productID, Quantity: quantity}})
	if err != nil {
		return err
	}
	id, now := restockID(productID, key), s.now()
	views, err := s.view(ctx, id, lines)
	if err != nil {
		return err
	}
	if v, ok := views[productID]; !ok || v.Deleted {
		return ErrProduct
	}
	r := Reservation{ID: id, State: Adding, Lines: lines, CreatedAt: now, UpdatedAt: now}
	err = s.store.Insert(ctx, r)
	if errors.Is(err, ErrExists) {
		views = nil
		if r, err = s.store.Reservation(ctx, id); err == nil && !slices.Equal(r.Lines, lines) {
			err = ErrConflict
		}
	}
	if err != nil {
		return err
	}
	_, err = s.work(ctx, r, views, atRest)
	return err
}

// restockID cannot be an order's ID, which is a UUID.
func restockID(productID, key string) string {
	sum := sha256.Sum256([]byte(productID + "\x00" + key))
	return "restock-" + hex.EncodeToString(sum[:16])
}
