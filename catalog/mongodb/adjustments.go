package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// InsertAdjustment implements stock.Store.
func (s *Store) InsertAdjustment(ctx context.Context, a stock.Adjustment) error {
	return insert(ctx, s.adjustments, a, stock.ErrExists)
}

// Adjustment implements stock.Store.
func (s *Store) Adjustment(ctx context.Context, id string) (stock.Adjustment, error) {
	return found[stock.Adjustment](s.adjustments.FindOne(ctx, byID(id)), stock.ErrNotFound)
}

// EndAdjustment implements stock.Store.
func (s *Store) EndAdjustment(
	ctx context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	guard := append(byID(id), bson.E{Key: "state", Value: stock.Pending})
	set := bson.D{{Key: "state", Value: to}, {Key: "available", Value: available}, {Key: "updatedAt", Value: at}}
	return one[stock.Adjustment](s.adjustments.FindOneAndUpdate(ctx, guard, bson.D{{Key: "$set", Value: set}}, after()))
}

// PendingAdjustments implements stock.Store.
func (s *Store) PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error) {
	found, err := find[stock.Adjustment](ctx, s.foundAdjustments,
		bson.D{{Key: "state", Value: stock.Pending}, {Key: "updatedAt", Value: bson.D{{Key: "$lte", Value: since}}}},
		options.Find().SetSort(keys("updatedAt")).SetLimit(int64(limit)).SetProjection(only("_id")))
	var out []string
	for _, d := range found {
		out = append(out, d.ID)
	}
	return out, err
}
