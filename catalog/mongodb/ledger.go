package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// ProductIDs implements stock.Store.
func (s *Store) ProductIDs(ctx context.Context, after string, limit int) ([]string, error) {
	found, err := find[stock.Counters](ctx, s.products, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}},
		options.Find().SetSort(keys("_id")).SetLimit(int64(limit)).SetProjection(only("_id")))
	var out []string
	for _, p := range found {
		out = append(out, p.ProductID)
	}
	return out, err
}

// Reservations implements stock.Store.
func (s *Store) Reservations(
	ctx context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error,
) error {
	return each(ctx, s.foundReservations, changedSince("lines.productId", productIDs, since), yield)
}

// Adjustments implements stock.Store.
func (s *Store) Adjustments(
	ctx context.Context, productIDs []string, since time.Time, yield func(stock.Adjustment) error,
) error {
	return each(ctx, s.foundAdjustments, changedSince("productId", productIDs, since), yield)
}

func changedSince(field string, productIDs []string, since time.Time) bson.D {
	filter := bson.D{{Key: field, Value: in(productIDs)}}
	if !since.IsZero() {
		filter = append(filter, bson.E{Key: "updatedAt", Value: bson.D{{Key: "$gte", Value: since}}})
	}
	return filter
}
