package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// adjustment is a document in the collection adjustments.
type adjustment struct {
	ID            string    `bson:"_id"`
	ProductID     string    `bson:"productId"`
	Kind          string    `bson:"kind"`
	Delta         delta     `bson:"delta"`
	Reason        string    `bson:"reason,omitempty"`
	State         string    `bson:"state"`
	WereAvailable int64     `bson:"wereAvailable"`
	CreatedAt     time.Time `bson:"createdAt"`
	UpdatedAt     time.Time `bson:"updatedAt"`
}

type delta struct {
	Available int64 `bson:"available"`
	Restocked int64 `bson:"restocked"`
	Marks     int   `bson:"marks"`
}

func (d adjustment) adjustment() stock.Adjustment {
	return stock.Adjustment{
		ID: d.ID, ProductID: d.ProductID, Kind: stock.Kind(d.Kind), Delta: stock.Delta(d.Delta), Reason: d.Reason,
		State: stock.AdjustmentState(d.State), Available: d.WereAvailable, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// InsertAdjustment implements stock.Store.
func (s *Store) InsertAdjustment(ctx context.Context, a stock.Adjustment) error {
	return insert(ctx, s.adjustments, adjustment{
		ID: a.ID, ProductID: a.ProductID, Kind: string(a.Kind), Delta: delta(a.Delta), Reason: a.Reason,
		State: string(a.State), WereAvailable: a.Available, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}, stock.ErrExists)
}

// Adjustment implements stock.Store.
func (s *Store) Adjustment(ctx context.Context, id string) (stock.Adjustment, error) {
	d, err := found[adjustment](s.adjustments.FindOne(ctx, byID(id)), stock.ErrNotFound)
	return d.adjustment(), err
}

// EndAdjustment implements stock.Store.
func (s *Store) EndAdjustment(
	ctx context.Context, id string, to stock.AdjustmentState, available int64, at time.Time,
) (stock.Adjustment, bool, error) {
	guard := append(byID(id), bson.E{Key: "state", Value: stock.Pending})
	set := bson.D{{Key: "state", Value: to}, {Key: "wereAvailable", Value: available}, {Key: "updatedAt", Value: at}}
	d, ok, err := one[adjustment](s.adjustments.FindOneAndUpdate(ctx, guard, bson.D{{Key: "$set", Value: set}}, after()))
	return d.adjustment(), ok, err
}

// AdjustmentStates implements stock.Store.
func (s *Store) AdjustmentStates(ctx context.Context, ids []string) (map[string]stock.AdjustmentState, error) {
	found, err := find[adjustment](ctx, s.foundAdjustments, bson.D{{Key: "_id", Value: in(ids)}},
		options.Find().SetProjection(only("state")))
	out := map[string]stock.AdjustmentState{}
	for _, d := range found {
		out[d.ID] = stock.AdjustmentState(d.State)
	}
	return out, err
}

// PendingAdjustments implements stock.Store.
func (s *Store) PendingAdjustments(ctx context.Context, since time.Time, limit int) ([]string, error) {
	found, err := find[adjustment](ctx, s.foundAdjustments,
		bson.D{{Key: "state", Value: stock.Pending}, {Key: "updatedAt", Value: bson.D{{Key: "$lte", Value: since}}}},
		options.Find().SetSort(keys("updatedAt")).SetLimit(int64(limit)).SetProjection(only("_id")))
	var out []string
	for _, d := range found {
		out = append(out, d.ID)
	}
	return out, err
}
