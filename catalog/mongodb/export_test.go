package mongodb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ordersaga/catalog/product"
)

// Unnumbered fills the store with products as they were before they had numbers and words, lamp0000 being the oldest.
func Unnumbered(ctx context.Context, s *Store, products int) error {
	var docs []any
	for i := range products {
		d := newDocument(product.Product{
			ID: fmt.Sprintf("lamp%04d", i), Name: fmt.Sprintf("Lamp, No. %d", i),
			CreatedAt: time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC),
		}, 0)
		docs = append(docs, slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "number" || e.Key == "words" }))
	}
	slices.Reverse(docs) // the order of storing says nothing
	if _, err := s.counters.DeleteMany(ctx, bson.D{}); err != nil {
		return err
	}
	_, err := s.products.InsertMany(ctx, docs)
	return err
}
