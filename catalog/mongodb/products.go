package mongodb

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
)

// withoutMarks is a projection without the field that can be large.
var withoutMarks = bson.M{"marks": 0}

// newestNumber is the document that counts products. They are numbered because several can have the same time.
var newestNumber = bson.M{"_id": "products"}

// number reserves numbers for that many new products and returns the last one.
func (s *Store) number(ctx context.Context, products int) (int64, error) {
	var counter struct {
		Last int64 `bson:"last"`
	}
	next := func() error {
		return s.counters.FindOneAndUpdate(ctx, newestNumber,
			bson.M{"$inc": bson.M{"last": int64(products)}},
			after().SetUpsert(true)).Decode(&counter)
	}
	err := next()
	if mongo.IsDuplicateKeyError(err) { // another call has created the counter at the same moment
		err = next()
	}
	return counter.Last, err
}

// CreateProduct implements product.Store.
func (s *Store) CreateProduct(ctx context.Context, p product.Product) error {
	return s.CreateProducts(ctx, []product.Product{p})
}

// CreateProducts stores many new products at once. If it returns ErrExists, it may have stored some of them.
func (s *Store) CreateProducts(ctx context.Context, products []product.Product) error {
	last, err := s.number(ctx, len(products))
	if err != nil {
		return err
	}
	docs := make([]document, len(products))
	for i, p := range products {
		p.Number = last - int64(len(products)-1-i)
		docs[i] = document{
			Product: p, PriceBuckets: bucketsOf(p.Price.Amount), Words: words(p.Name), Initial: p.Stock, Marks: bson.M{},
		}
	}
	_, err = s.products.InsertMany(ctx, docs)
	if mongo.IsDuplicateKeyError(err) {
		return product.ErrExists
	}
	return err
}

// document is the document of a product without orders. Package product reads some of its fields, and package stock (in a Snapshot) others.
type document struct {
	product.Product `bson:",inline"`
	PriceBuckets    []int64  `bson:"priceBuckets"`
	Words           []string `bson:"words"`
	Deleted         bool     `bson:"deleted"`
	Initial         int64    `bson:"initial"`
	Restocked       int64    `bson:"restocked"`
	Epoch           int64    `bson:"epoch"`
	MarkCount       int      `bson:"markCount"`
	Marks           bson.M   `bson:"marks"`
}

// words is never nil, which would be stored as null.
func words(name string) []string { return append([]string{}, product.Words(name)...) }

// forSale is the filter for one product that is not deleted.
func forSale(id string) bson.M { return bson.M{"_id": id, "deleted": false} }

// Product implements product.Store.
func (s *Store) Product(ctx context.Context, id string) (product.Product, error) {
	one := s.products.FindOne(ctx, forSale(id), options.FindOne().SetProjection(withoutMarks))
	return found[product.Product](one, product.ErrNotFound)
}

// Products implements product.Store.
func (s *Store) Products(ctx context.Context, ids []string) (map[string]product.Product, error) {
	found, err := s.findProducts(ctx, bson.M{"_id": in(ids), "deleted": false}, options.Find())
	if err != nil {
		return nil, err
	}
	out := map[string]product.Product{}
	for _, p := range found {
		out[p.ID] = p
	}
	return out, nil
}

func (s *Store) findProducts(
	ctx context.Context, filter bson.M, opts *options.FindOptionsBuilder,
) ([]product.Product, error) {
	return find[product.Product](ctx, s.products, filter, opts.SetProjection(withoutMarks))
}

// countTimeout bounds a count. The timeout of other operations is too short for one of very many products.
const countTimeout = 30 * time.Second

// CountProducts implements product.Store.
func (s *Store) CountProducts(ctx context.Context, f product.Filter, atMost int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	opts := options.Count()
	if atMost > 0 {
		opts.SetLimit(atMost)
	}
	if s.indexed.Load() {
		opts.SetHint(countFrom(f))
	}
	return s.products.CountDocuments(ctx, condition(f), opts)
}

func condition(f product.Filter) bson.M {
	c := bson.M{"deleted": false}
	if f.Category != "" {
		c["category"] = f.Category
	}
	if len(f.Words) > 0 {
		c["words"] = bson.M{"$all": f.Words}
	}
	amount := bson.M{"$gte": f.MinPrice}
	if f.Below > 0 {
		amount["$lt"] = f.Below
	}
	if f.Priced() {
		c["price.amount"] = amount
	}
	return c
}

// ChangeProduct implements product.Store.
func (s *Store) ChangeProduct(
	ctx context.Context, id string, p product.Patch, at time.Time,
) (product.Product, error) {
	set := bson.M{"updatedAt": at}
	for name, value := range map[string]*string{"name": p.Name, "description": p.Description, "category": p.Category} {
		if value != nil {
			set[name] = *value
		}
	}
	if p.Name != nil {
		set["words"] = words(*p.Name)
	}
	if p.Price != nil {
		set["price"], set["priceBuckets"] = *p.Price, bucketsOf(p.Price.Amount)
	}
	one := forSale(id)
	if p.If != nil {
		one["version"] = in(p.If)
	}
	change := bson.M{"$set": set, "$inc": bson.M{"version": 1}}
	changed := s.products.FindOneAndUpdate(ctx, one, change, after().SetProjection(withoutMarks))
	out, err := found[product.Product](changed, product.ErrNotFound)
	if errors.Is(err, product.ErrNotFound) && p.If != nil {
		if _, err := s.Product(ctx, id); err != nil {
			return product.Product{}, err
		}
		return product.Product{}, product.ErrChanged
	}
	return out, err
}

// deletable is what must not change while a product is deleted.
type deletable struct {
	Epoch     int64 `bson:"epoch"`
	MarkCount int   `bson:"markCount"`
	Version   int64 `bson:"version"`
}

// deleteTries bounds how often a deletion starts over because an order took units of the product meanwhile.
const deleteTries = 10

// DeleteProduct implements product.Store. A product's document does not know which of its units are held. But every order
// that takes units changes its number of marks or its epoch, so the deletion names both as they were before it looked for
// holds.
func (s *Store) DeleteProduct(ctx context.Context, id string, only product.Versions, at time.Time) error {
	for range deleteTries {
		one := s.products.FindOne(ctx, forSale(id), options.FindOne().SetProjection(keys("epoch", "markCount", "version")))
		u, err := found[deletable](one, product.ErrNotFound)
		if err != nil {
			return err
		}
		if only != nil && !slices.Contains(only, u.Version) {
			return product.ErrChanged
		}
		holds, err := s.Due(ctx, stock.Due{States: stock.Expiring(), ProductID: id, Limit: 1})
		if err != nil {
			return err
		}
		if len(holds) > 0 {
			return product.ErrOpenHolds
		}
		unchanged := forSale(id)
		unchanged["epoch"], unchanged["markCount"], unchanged["version"] = u.Epoch, u.MarkCount, u.Version
		result, err := s.products.UpdateOne(ctx, unchanged, bson.M{"$set": bson.M{"deleted": true, "updatedAt": at}})
		if err != nil || result.MatchedCount == 1 {
			return err
		}
	}
	return product.ErrOpenHolds
}
