package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Products that were stored before products had numbers, words and bands of prices are given what they lack, about oldest
// first, when the catalog starts for the first time since. It takes up where it was interrupted, and several instances may
// do it at once: each product is changed under the condition that it still lacks something, and is what was read.

// completingTimeout bounds it: some 2,000 products a second.
const completingTimeout = 30 * time.Minute

// completingBatch is how many products are changed in one operation.
const completingBatch = 500

// completeAll completes all products that have no bands or no number. A change of a price gives them bands.
func (s *Store) completeAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, completingTimeout)
	defer cancel()
	for {
		banded, err := s.completeFound(ctx, "bands", byBands)
		if err != nil {
			return err
		}
		numbered, err := s.completeFound(ctx, "number", byNumber)
		if err != nil || banded+numbered == 0 {
			return err
		}
	}
}

// completeFound completes the products that it finds to lack a field, but not those that somebody else changes meanwhile.
func (s *Store) completeFound(ctx context.Context, lacking string, index bson.D) (completed int64, err error) {
	incomplete := bson.D{{Key: "deleted", Value: in([]bool{false, true})}, {Key: lacking, Value: exists(false)}}
	cursor, err := s.products.Find(ctx, incomplete, options.Find().SetHint(index).
		SetSort(bson.D{{Key: "createdAt", Value: 1}}).SetBatchSize(completingBatch).
		SetProjection(bson.D{{Key: "name", Value: 1}, {Key: "price", Value: 1}, {Key: "number", Value: 1}}))
	if err != nil {
		return completed, err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		batch := make([]details, 1, completingBatch)
		if err := cursor.Decode(&batch[0]); err != nil {
			return completed, err
		}
		for len(batch) < completingBatch && cursor.RemainingBatchLength() > 0 && cursor.Next(ctx) {
			batch = append(batch, details{})
			if err := cursor.Decode(&batch[len(batch)-1]); err != nil {
				return completed, err
			}
		}
		n, err := s.complete(ctx, batch, lacking)
		if err != nil {
			return completed, fmt.Errorf("complete %d products: %w", len(batch), err)
		}
		completed += n
	}
	return completed, cursor.Err()
}

func (s *Store) complete(ctx context.Context, batch []details, lacking string) (completed int64, err error) {
	var unnumbered int
	for _, d := range batch {
		if d.Number == 0 {
			unnumbered++
		}
	}
	var next int64
	if unnumbered > 0 {
		last, err := s.number(ctx, unnumbered)
		if err != nil {
			return 0, err
		}
		next = last - int64(unnumbered) + 1
	}
	var updates []mongo.WriteModel
	for _, d := range batch {
		if d.Number == 0 {
			d.Number = next
			next++
		}
		updates = append(updates, mongo.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: d.ID}, {Key: lacking, Value: exists(false)},
				{Key: "name", Value: d.Name}, {Key: "price.amount", Value: d.Price.Amount},
			}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{
				{Key: "number", Value: d.Number}, {Key: "words", Value: words(d.Name)}, {Key: "bands", Value: bandsOf(d.Price.Amount)},
			}}}))
	}
	result, err := s.products.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return 0, err
	}
	return result.ModifiedCount, nil
}
