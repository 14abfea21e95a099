package mongodb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/internal/money"
)

// Incomplete fills the store with products as they were before they had numbers, words and bands of prices, lamp0000
// being the oldest.
func Incomplete(ctx context.Context, s *Store, products int) error {
	var docs []any
	for i := range products {
		d := newDocument(product.Product{
			ID: fmt.Sprintf("lamp%04d", i), Name: fmt.Sprintf("Lamp, No. %d", i), Price: money.Money{Amount: int64(i), Currency: "EUR"},
			CreatedAt: time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC),
		}, 0)
		docs = append(docs, slices.DeleteFunc(d, func(e bson.E) bool { return slices.Contains([]string{"number", "words", "bands"}, e.Key) }))
	}
	slices.Reverse(docs) // the order of storing says nothing
	if _, err := s.counters.DeleteMany(ctx, bson.D{}); err != nil {
		return err
	}
	_, err := s.products.InsertMany(ctx, docs)
	return err
}

// BandsOf and BandsFrom are for tests of them.
var BandsOf, BandsFrom = bandsOf, bandsFrom

// ExplainListing is the server's plan for a listing, and ExplainCount for counting.
func ExplainListing(ctx context.Context, s *Store, q product.Query) (bson.M, error) {
	filter, index := s.listing(q)
	return s.explain(ctx, bson.D{
		{Key: "find", Value: s.products.Name()}, {Key: "filter", Value: filter}, {Key: "sort", Value: newestFirst},
		{Key: "limit", Value: q.Limit}, {Key: "hint", Value: index},
	})
}

func ExplainCount(ctx context.Context, s *Store, f product.Filter) (bson.M, error) {
	return s.explain(ctx, bson.D{ // what the driver makes of CountDocuments
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
