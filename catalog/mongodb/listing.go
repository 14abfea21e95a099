package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// A listing is newest first and is read from an index in that order, so a page costs the same however many products there
// are. MongoDB reads its indexes that way, and so does DocumentDB with its extension documentdb_extended_rum; without the
// extension it finds everything that passes the filter and sorts it.
//
// An index in that order cannot serve bounds on prices. So prices are put into buckets, and servers read the buckets of a
// range one by one, each in order, and merge them. Nearly all products in the buckets are in the range; the rest is
// skipped. If only few products pass the filter, they are found by price and sorted.
//
// The search is by whole words, which are indexed as a list, and not by $text, because a text index has no such order. One
// condition (a word, or the rest of the filter) is looked up in an index; the others are checked on the results. A page is
// slow if almost none of the results pass these.

// The indexes of listings and counts, by their keys. Each index from which prices are skipped or counted contains the
// price, so that no documents are read for that.
var (
	byNumber           = keys("deleted", "-number")
	byCategory         = keys("deleted", "category", "-number")
	byWords            = keys("deleted", "words", "-number", "price.amount")
	byBuckets          = keys("deleted", "priceBuckets", "-number", "price.amount")
	byCategoryBuckets  = keys("deleted", "category", "priceBuckets", "-number", "price.amount")
	byPrice            = keys("deleted", "price.amount")
	byCategoryAndPrice = keys("deleted", "category", "price.amount")
	listingIndexes     = []bson.D{
		byNumber, byCategory, byWords, byBuckets, byCategoryBuckets, byPrice, byCategoryAndPrice,
	}
	newestFirst = keys("-number")
)

// fewProducts is up to how many products are found by price and sorted.
const fewProducts = 100

// ListProducts implements product.Store.
func (s *Store) ListProducts(ctx context.Context, q product.Query) ([]product.Product, error) {
	filter, index := listing(q)
	return s.findProducts(ctx, filter, s.from(index).SetSort(newestFirst).SetSkip(int64(q.Skip)).SetLimit(int64(q.Limit)))
}

// listing returns the filter of a listing and the index to read.
func listing(q product.Query) (filter bson.M, index bson.D) {
	filter = condition(q.Filter)
	if q.Before > 0 {
		filter["number"] = bson.M{"$lt": q.Before}
	}
	switch {
	case byWord(q.Filter):
		return filter, byWords
	case q.Priced() && q.Matches <= fewProducts:
		return filter, choose(q.Category, byPrice, byCategoryAndPrice)
	case q.Priced():
		filter["priceBuckets"] = in(bucketsFrom(q.MinPrice, q.Below))
		return filter, choose(q.Category, byBuckets, byCategoryBuckets)
	}
	return filter, choose(q.Category, byNumber, byCategory)
}

// byWord reports whether a word is looked up in an index.
func byWord(f product.Filter) bool { return len(f.Words) > 0 && !f.WordsLast }

// choose returns the index for all products, or the one for the products of a category.
func choose(category string, all, of bson.D) bson.D {
	if category != "" {
		return of
	}
	return all
}

// from tells the server which index to use, once it exists. Left alone, servers sometimes misjudge the filter.
func (s *Store) from(index bson.D) *options.FindOptionsBuilder {
	opts := options.Find()
	if s.indexed.Load() {
		opts.SetHint(index)
	}
	return opts
}

// countFrom returns the index from which products are counted.
func countFrom(f product.Filter) bson.D {
	if byWord(f) {
		return byWords
	}
	return choose(f.Category, byPrice, byCategoryAndPrice)
}
