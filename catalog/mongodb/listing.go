package mongodb

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/product"
)

// A listing is newest first, and is read from an index in that order: a page costs the same however many products there
// are. MongoDB reads indexes so, and DocumentDB those of its extension documentdb_extended_rum; without the extension it
// finds everything that passes the filter and sorts it.
//
// Bounds on prices stand in the way of that order. So prices are put into bands, and the bands of a range are read in
// order, each, and merged, which servers do by themselves. Nearly all that is in them is in the range, and the rest is
// passed over. What few products pass is looked up by price and sorted.
//
// The search is by whole words, which are indexed as a list, and not by $text: a text index knows nothing of the order.
// One word is looked up, or something else, and the other words are looked for in the products that are found; so is a
// category. Where nearly none of these has them, such a page is slow.

// The indexes that listings and counts use, by the keys. Prices are in all of them in which a range of prices may be passed
// over or counted, so that the documents are not read for that.
var (
	byNumber        = keys("deleted", "-number")
	byCategory      = keys("deleted", "category", "-number")
	byWords         = keys("deleted", "words", "-number", "price.amount")
	byBands         = keys("deleted", "bands", "-number", "price.amount")
	byCategoryBands = keys("deleted", "category", "bands", "-number", "price.amount")
	byPrice         = keys("deleted", "price.amount")
	byCategoryPrice = keys("deleted", "category", "price.amount")
	shelfIndexes    = []bson.D{byNumber, byCategory, byWords, byBands, byCategoryBands, byPrice, byCategoryPrice}
	retiredIndexes  = []bson.D{ // of earlier versions
		keys("deleted", "number"), keys("deleted", "category", "number"), keys("deleted", "words", "number"),
	}
	newestFirst = bson.D{{Key: "number", Value: -1}}
)

// keys are those of an index; - is for descending.
func keys(names ...string) bson.D {
	var d bson.D
	for _, n := range names {
		if name, descending := strings.CutPrefix(n, "-"); descending {
			d = append(d, bson.E{Key: name, Value: -1})
		} else {
			d = append(d, bson.E{Key: n, Value: 1})
		}
	}
	return d
}

// fewProducts are found by price and sorted.
const fewProducts = 100

// ListProducts implements product.Store.
func (s *Store) ListProducts(ctx context.Context, q product.Query) ([]product.Product, error) {
	filter, index := s.listing(q)
	return s.find(ctx, filter, s.from(index).SetSort(newestFirst).SetSkip(int64(q.Skip)).SetLimit(int64(q.Limit)))
}

// listing is what a listing looks for, and in which index.
func (s *Store) listing(q product.Query) (filter, index bson.D) {
	filter = condition(q.Filter)
	if q.Before > 0 {
		filter = append(filter, bson.E{Key: "number", Value: bson.D{{Key: "$lt", Value: q.Before}}})
	}
	switch {
	case byWord(q.Filter):
		return filter, byWords
	case q.Priced() && (q.Matches <= fewProducts || !s.completed.Load()):
		return filter, choose(q.Category, byPrice, byCategoryPrice)
	case q.Priced():
		bands := bson.E{Key: "bands", Value: in(bandsFrom(q.Prices()))}
		return append(filter, bands), choose(q.Category, byBands, byCategoryBands)
	}
	return filter, choose(q.Category, byNumber, byCategory)
}

// byWord reports whether a word is looked up.
func byWord(f product.Filter) bool { return len(f.Words) > 0 && !f.WordsLast }

// choose is the index for all products or the one for those of a category.
func choose(category string, all, of bson.D) bson.D {
	if category != "" {
		return of
	}
	return all
}

// from tells the server which index to use, once it is there. Servers choose another when they misjudge the filter.
func (s *Store) from(index bson.D) *options.FindOptionsBuilder {
	opts := options.Find()
	if s.indexed.Load() {
		opts.SetHint(index)
	}
	return opts
}

// countFrom is the index that products are counted from.
func countFrom(f product.Filter) bson.D {
	if byWord(f) {
		return byWords
	}
	return choose(f.Category, byPrice, byCategoryPrice)
}
