package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// BucketsOf and BucketsFrom are exported for their tests.
var BucketsOf, BucketsFrom = bucketsOf, bucketsFrom

// ExplainListing returns the server's plan of a listing, and ExplainCount that of a count.
func ExplainListing(ctx context.Context, s *Store, q product.Query) (bson.M, error) {
	filter, index := listing(q)
	return s.explain(ctx, bson.D{
		{Key: "find", Value: s.products.Name()}, {Key: "filter", Value: filter}, {Key: "sort", Value: newestFirst},
		{Key: "limit", Value: q.Limit}, {Key: "hint", Value: index},
	})
}

func ExplainCount(ctx context.Context, s *Store, f product.Filter) (bson.M, error) {
	return s.explain(ctx, bson.D{ // what CountDocuments sends
		{Key: "aggregate", Value: s.products.Name()}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: countFrom(f)},
		{Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: condition(f)}},
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		}},
	})
}

func (s *Store) explain(ctx context.Context, command bson.D) (bson.M, error) {
	var plan bson.M
	err := s.products.Database().RunCommand(ctx, bson.D{
		{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"},
	}).Decode(&plan)
	return plan, err
}
