package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Products are numbered as they are created, because times can be the same.
var newestNumber = bson.D{{Key: "_id", Value: "products"}}

type counter struct {
	Last int64 `bson:"last"`
}

// number gives out numbers for that many new products, and returns the last one given out.
func (s *Store) number(ctx context.Context, products int) (int64, error) {
	var c counter
	give := func() error {
		return s.counters.FindOneAndUpdate(ctx, newestNumber,
			bson.D{{Key: "$inc", Value: bson.D{{Key: "last", Value: int64(products)}}}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&c)
	}
	err := give()
	if mongo.IsDuplicateKeyError(err) { // two gave out the first number at once; now the counter is there
		err = give()
	}
	return c.Last, err
}
