package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/stock"
)

// ledgerTimeout bounds reading all reservations of a batch of products: a product with 100,000 orders takes seconds.
const ledgerTimeout = 2 * time.Minute

// ProductIDs implements stock.Ledger.
func (s *Store) ProductIDs(ctx context.Context, after string, limit int) ([]string, error) {
	cursor, err := s.products.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}, options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var found []units
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	var out []string
	for _, u := range found {
		out = append(out, u.ID)
	}
	return out, nil
}

// Snapshots implements stock.Ledger.
func (s *Store) Snapshots(ctx context.Context, productIDs []string) (map[string]stock.Snapshot, error) {
	cursor, err := s.products.Find(ctx, bson.D{{Key: "_id", Value: in(productIDs)}})
	if err != nil {
		return nil, err
	}
	var found []units
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	out := map[string]stock.Snapshot{}
	for _, u := range found {
		out[u.ID] = stock.Snapshot{Counters: u.counters(), Epoch: u.Epoch, Standing: u.marks()}
	}
	return out, nil
}

// Wanting implements stock.Ledger.
func (s *Store) Wanting(
	ctx context.Context, productIDs []string, since time.Time, yield func(stock.Reservation) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	filter := bson.D{{Key: "lines.productId", Value: in(productIDs)}}
	if !since.IsZero() {
		filter = append(filter, bson.E{Key: "updatedAt", Value: bson.D{{Key: "$gte", Value: since}}})
	}
	cursor, err := s.due.Find(ctx, filter, options.Find().SetBatchSize(1000))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		var d reservation
		if err := cursor.Decode(&d); err != nil {
			return err
		}
		if err := yield(d.reservation()); err != nil {
			return err
		}
	}
	return cursor.Err()
}
