package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"ordersaga/catalog/product"
)

// A listing is newest first. Not every server reads an index in the order of a sort: DocumentDB finds everything that
// passes the filter and sorts it, so that the first page of a category of 20,000 products reads 20,000 documents. So
// products are numbered as they are created, and a listing looks only at a window of numbers, as wide as it takes to
// hold the page, going by how many products pass the filter; where that was too narrow, at a wider one. What is sorted is
// then about as many documents as a page has, however many there are. Servers that do read in order lose nothing.
//
// A price range cannot be part of that index: within the window, products of any price are read. So a range that few
// products pass is looked up by price instead, and all of it is sorted, whichever reads less. Where n products pass the
// rest of the filter, that is never more than about √(2·n·page) documents.
//
// The search is by whole words, which are indexed as a list, and not by $text: a text index cannot be combined with the
// window, and knows nothing of the order.

// The indexes that listings use, by the keys.
var (
	byNumber        = keys("deleted", "number")
	byCategory      = keys("deleted", "category", "number")
	byWords         = keys("deleted", "words", "number")
	byPrice         = keys("deleted", "price.amount")
	byCategoryPrice = keys("deleted", "category", "price.amount")
	shelfIndexes    = []bson.D{byNumber, byCategory, byWords, byPrice, byCategoryPrice}
	newestFirst     = bson.D{{Key: "number", Value: -1}}
	newestNumber    = bson.D{{Key: "_id", Value: "products"}}
	upsertAndReturn = options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
)

func keys(names ...string) bson.D {
	var d bson.D
	for _, n := range names {
		d = append(d, bson.E{Key: n, Value: 1})
	}
	return d
}

// few is how many documents are read and sorted without a thought.
const few = 500

// wider is by how much a window grows that was too narrow.
const wider = 8

// ListProducts implements product.Store.
func (s *Store) ListProducts(ctx context.Context, q product.Query) ([]product.Product, error) {
	if q.Matches <= few {
		return s.window(ctx, q, 0)
	}
	newest := q.Before - 1
	if q.Before == 0 {
		var err error
		if newest, err = s.newest(ctx); err != nil {
			return nil, err
		}
	}
	wanted := int64(q.Skip + q.Limit)
	width := max(few, 2*wanted*newest/q.Matches)
	if q.Priced() && float64(q.Matches)*float64(newest) < float64(width)*float64(q.AnyPrice) {
		return s.window(ctx, q, 0)
	}
	for ; ; width *= wider {
		found, err := s.window(ctx, q, max(0, newest-width))
		if err != nil || len(found) == q.Limit || width >= newest {
			return found, err
		}
	}
}

// window lists products with numbers above the one given, or all of them.
func (s *Store) window(ctx context.Context, q product.Query, above int64) ([]product.Product, error) {
	filter, number := condition(q.Filter), bson.D{}
	if above > 0 {
		number = append(number, bson.E{Key: "$gt", Value: above})
	}
	if q.Before > 0 {
		number = append(number, bson.E{Key: "$lt", Value: q.Before})
	}
	if len(number) > 0 {
		filter = append(filter, bson.E{Key: "number", Value: number})
	}
	opts := options.Find().SetSort(newestFirst).SetSkip(int64(q.Skip)).SetLimit(int64(q.Limit))
	if index := indexFor(q.Filter, above > 0); index != nil && s.indexed.Load() {
		opts.SetHint(index)
	}
	return s.find(ctx, filter, opts)
}

// indexFor is the index that a listing is found by, with or without a window of numbers; nil where the server's choice
// is as good. Servers choose another when they misjudge the filter.
func indexFor(f product.Filter, window bool) bson.D {
	switch {
	case !window && (!f.Priced() || len(f.Words) > 0):
		return nil
	case !window && f.Category != "":
		return byCategoryPrice
	case !window:
		return byPrice
	case len(f.Words) > 0:
		return byWords
	case f.Category != "":
		return byCategory
	}
	return byNumber
}

// newest is the number that was given out last, 0 before the first.
func (s *Store) newest(ctx context.Context) (int64, error) {
	var c counter
	err := s.counters.FindOne(ctx, newestNumber).Decode(&c)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	return c.Last, err
}

type counter struct {
	Last int64 `bson:"last"`
}

// number gives out numbers for that many new products, and returns the last one given out.
func (s *Store) number(ctx context.Context, products int) (int64, error) {
	var c counter
	give := func() error {
		return s.counters.FindOneAndUpdate(ctx, newestNumber,
			bson.D{{Key: "$inc", Value: bson.D{{Key: "last", Value: int64(products)}}}}, upsertAndReturn).Decode(&c)
	}
	err := give()
	if mongo.IsDuplicateKeyError(err) { // two gave out the first number at once; now the counter is there
		err = give()
	}
	return c.Last, err
}

// LoadProducts stores many new products in one operation. It is for filling an empty shop.
func (s *Store) LoadProducts(ctx context.Context, products []product.Product) error {
	last, err := s.number(ctx, len(products))
	if err != nil {
		return err
	}
	var docs []any
	for i, p := range products {
		docs = append(docs, newDocument(p, last-int64(len(products)-1-i)))
	}
	_, err = s.products.InsertMany(ctx, docs)
	return err
}
