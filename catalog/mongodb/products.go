package mongodb

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/internal/money"
)

// details is what a product's document says about the product; units are in the same document.
type details struct {
	ID          string    `bson:"_id"`
	Name        string    `bson:"name"`
	Description string    `bson:"description"`
	Category    string    `bson:"category"`
	Price       price     `bson:"price"`
	Available   int64     `bson:"available"`
	Number      int64     `bson:"number"`
	CreatedAt   time.Time `bson:"createdAt"`
	UpdatedAt   time.Time `bson:"updatedAt"`
}

type price struct {
	Amount   int64  `bson:"amount"`
	Currency string `bson:"currency"`
}

func (d details) product() product.Product {
	return product.Product{
		ID: d.ID, Name: d.Name, Description: d.Description, Category: d.Category, Price: money.Money(d.Price),
		Stock: d.Available, Number: d.Number, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// withoutMarks leaves out what can be large.
var withoutMarks = bson.D{{Key: "marks", Value: 0}}

// CreateProduct implements product.Store.
func (s *Store) CreateProduct(ctx context.Context, p product.Product) error {
	last, err := s.number(ctx, 1)
	if err != nil {
		return err
	}
	_, err = s.products.InsertOne(ctx, newDocument(p, last))
	if mongo.IsDuplicateKeyError(err) {
		return product.ErrExists
	}
	return err
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

// newDocument is a product that nobody has ordered yet.
func newDocument(p product.Product, number int64) bson.D {
	return bson.D{
		{Key: "_id", Value: p.ID},
		{Key: "name", Value: p.Name},
		{Key: "description", Value: p.Description},
		{Key: "category", Value: p.Category},
		{Key: "price", Value: price(p.Price)},
		{Key: "bands", Value: bandsOf(p.Price.Amount)},
		{Key: "createdAt", Value: p.CreatedAt},
		{Key: "updatedAt", Value: p.UpdatedAt},
		{Key: "deleted", Value: false},
		{Key: "available", Value: p.Stock},
		{Key: "held", Value: int64(0)},
		{Key: "sold", Value: int64(0)},
		{Key: "initial", Value: p.Stock},
		{Key: "restocked", Value: int64(0)},
		{Key: "epoch", Value: int64(0)},
		{Key: "marked", Value: 0},
		{Key: "marks", Value: bson.D{}},
		{Key: "number", Value: number},
		{Key: "words", Value: words(p.Name)},
	}
}

// words is never nil, which would be another value.
func words(name string) bson.A {
	out := bson.A{}
	for _, w := range product.Words(name) {
		out = append(out, w)
	}
	return out
}

// onShelf is the filter for one product that is not deleted.
func onShelf(id string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "deleted", Value: false}}
}

// Product implements product.Store.
func (s *Store) Product(ctx context.Context, id string) (product.Product, error) {
	var d details
	err := s.products.FindOne(ctx, onShelf(id), options.FindOne().SetProjection(withoutMarks)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return product.Product{}, product.ErrNotFound
	}
	return d.product(), err
}

// Products implements product.Store.
func (s *Store) Products(ctx context.Context, ids []string) (map[string]product.Product, error) {
	found, err := s.find(ctx, bson.D{{Key: "_id", Value: in(ids)}, {Key: "deleted", Value: false}}, options.Find())
	if err != nil {
		return nil, err
	}
	out := map[string]product.Product{}
	for _, p := range found {
		out[p.ID] = p
	}
	return out, nil
}

func (s *Store) find(
	ctx context.Context, filter bson.D, opts *options.FindOptionsBuilder,
) ([]product.Product, error) {
	cursor, err := s.products.Find(ctx, filter, opts.SetProjection(withoutMarks))
	if err != nil {
		return nil, err
	}
	var found []details
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	var out []product.Product
	for _, d := range found {
		out = append(out, d.product())
	}
	return out, nil
}

// countTimeout bounds counting, for which the driver's time is not enough on a large shelf.
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

func condition(f product.Filter) bson.D {
	c := bson.D{{Key: "deleted", Value: false}}
	if f.Category != "" {
		c = append(c, bson.E{Key: "category", Value: f.Category})
	}
	if len(f.Words) > 0 {
		c = append(c, bson.E{Key: "words", Value: bson.D{{Key: "$all", Value: f.Words}}})
	}
	amount := bson.D{}
	if f.MinPrice != nil {
		amount = append(amount, bson.E{Key: "$gte", Value: *f.MinPrice})
	}
	if f.MaxPrice != nil {
		amount = append(amount, bson.E{Key: "$lte", Value: *f.MaxPrice})
	}
	if len(amount) > 0 {
		c = append(c, bson.E{Key: "price.amount", Value: amount})
	}
	return c
}

// ChangeProduct implements product.Store.
func (s *Store) ChangeProduct(
	ctx context.Context, id string, p product.Patch, at time.Time,
) (product.Product, error) {
	set := bson.D{{Key: "updatedAt", Value: at}}
	for name, value := range map[string]*string{"name": p.Name, "description": p.Description, "category": p.Category} {
		if value != nil {
			set = append(set, bson.E{Key: name, Value: *value})
		}
	}
	if p.Name != nil {
		set = append(set, bson.E{Key: "words", Value: words(*p.Name)})
	}
	if p.Price != nil {
		set = append(set, bson.E{Key: "price", Value: price(*p.Price)}, bson.E{Key: "bands", Value: bandsOf(p.Price.Amount)})
	}
	var d details
	err := s.products.FindOneAndUpdate(ctx, onShelf(id), bson.D{{Key: "$set", Value: set}},
		options.FindOneAndUpdate().SetReturnDocument(options.After).SetProjection(withoutMarks)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return product.Product{}, product.ErrNotFound
	}
	return d.product(), err
}

// DeleteProduct implements product.Store.
func (s *Store) DeleteProduct(ctx context.Context, id string, at time.Time) error {
	result, err := s.products.UpdateOne(ctx, append(onShelf(id), bson.E{Key: "held", Value: int64(0)}), bson.D{
		{Key: "$set", Value: bson.D{{Key: "deleted", Value: true}, {Key: "updatedAt", Value: at}}},
	})
	if err != nil || result.MatchedCount == 1 {
		return err
	}
	if _, err := s.Product(ctx, id); err != nil {
		return err // ErrNotFound among them
	}
	return product.ErrOpenHolds
}
