package mongodb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Products that were stored before products had numbers and words are given both, oldest first, when the catalog starts
// for the first time since. It takes up where it was interrupted, and several instances may do it at once: each product
// is changed under the condition that it has no number yet.

// numberingTimeout bounds it: some 2,000 products a second.
const numberingTimeout = 10 * time.Minute

// numberingBatch is how many products are changed in one operation.
const numberingBatch = 500

// numberedField is remembered beside the counter, so that later starts need not look.
var numberedField = bson.E{Key: "numbered", Value: true}

// numberAll gives numbers to all products that have none.
func (s *Store) numberAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, numberingTimeout)
	defer cancel()
	n, err := s.counters.CountDocuments(ctx, bson.D{newestNumber[0], numberedField})
	if err != nil || n > 0 {
		return err
	}
	cursor, err := s.products.Find(ctx, bson.D{{Key: "number", Value: exists(false)}}, options.Find().
		SetSort(bson.D{{Key: "createdAt", Value: 1}}).SetBatchSize(numberingBatch).
		SetProjection(bson.D{{Key: "name", Value: 1}}))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		batch := make([]details, 1, numberingBatch)
		if err := cursor.Decode(&batch[0]); err != nil {
			return err
		}
		for len(batch) < numberingBatch && cursor.RemainingBatchLength() > 0 && cursor.Next(ctx) {
			batch = append(batch, details{})
			if err := cursor.Decode(&batch[len(batch)-1]); err != nil {
				return err
			}
		}
		if err := s.numberBatch(ctx, batch); err != nil {
			return fmt.Errorf("number %d products: %w", len(batch), err)
		}
	}
	if err := cursor.Err(); err != nil {
		return err
	}
	_, err = s.counters.UpdateOne(ctx, newestNumber, bson.D{{Key: "$set", Value: bson.D{numberedField}}}, options.UpdateOne().SetUpsert(true))
	return err
}

func (s *Store) numberBatch(ctx context.Context, batch []details) error {
	last, err := s.number(ctx, len(batch))
	if err != nil {
		return err
	}
	var updates []mongo.WriteModel
	for i, d := range batch {
		updates = append(updates, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: d.ID}, {Key: "number", Value: exists(false)}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{
				{Key: "number", Value: last - int64(len(batch)-1-i)}, {Key: "words", Value: words(d.Name)},
			}}}))
	}
	_, err = s.products.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false))
	return err
}
