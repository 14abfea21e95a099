// Package mongodb keeps the catalog in MongoDB, or in any server that speaks its protocol and changes single documents
// atomically. It uses no transactions.
//
// The collections are products (details, counters, marks), reservations, adjustments and counters. Package stock explains
// the guarded updates; here each is one findOneAndUpdate whose filter is the guard.
package mongodb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// timeout bounds every operation including its retries; the driver's default is to wait 30 s for a server.
const timeout = 2 * time.Second

// idleTime is how long a connection may be unused. A firewall or a failover that ended it unseen then costs no call its timeout.
const idleTime = 2 * time.Minute

// Store is a product.Store and a stock.Store.
type Store struct {
	client   *mongo.Client
	products *mongo.Collection
	// reservations and adjustments are read linearizably: the protocol relies on reads that see everything acknowledged.
	reservations *mongo.Collection
	adjustments  *mongo.Collection
	// foundReservations and foundAdjustments are the same collections for searches. Their results may be a moment old,
	// which is harmless: each result is changed only under its guard.
	foundReservations *mongo.Collection
	foundAdjustments  *mongo.Collection
	counters          *mongo.Collection // the number of the newest product
	indexed           atomic.Bool       // the indexes exist
	recent            readiness.Recent  // how the server responded that it cannot serve
}

// errURI replaces the driver's error, which may show a password.
var errURI = errors.New("not a valid mongodb:// or mongodb+srv:// URI")

// CheckURI returns an error if the URI is malformed.
func CheckURI(uri string) error {
	if options.Client().ApplyURI(uri).Validate() != nil {
		return errURI
	}
	return nil
}

// Open returns the store in a database. It connects in the background; Ready tells whether the server is there.
func Open(uri, database string) (*Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).
		SetAppName("catalog").
		SetMonitor(traced()).
		SetTimeout(timeout).
		SetServerSelectionTimeout(timeout).
		SetMaxPoolSize(100).
		SetMaxConnIdleTime(idleTime).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return nil, errURI
	}
	db := client.Database(database)
	linearizable := options.Collection().SetReadConcern(readconcern.Linearizable())
	return &Store{
		client:            client,
		products:          db.Collection("products"),
		reservations:      db.Collection("reservations", linearizable),
		adjustments:       db.Collection("adjustments", linearizable),
		foundReservations: db.Collection("reservations"),
		foundAdjustments:  db.Collection("adjustments"),
		counters:          db.Collection("counters"),
	}, nil
}

// Close closes the connections; operations in progress fail.
func (s *Store) Close(ctx context.Context) error { return s.client.Disconnect(ctx) }

// Drop removes everything.
func (s *Store) Drop(ctx context.Context) error { return s.products.Database().Drop(ctx) }

// indexTimeout bounds the creation of the indexes, which takes a minute or two with a million products.
const indexTimeout = 30 * time.Minute

// Prepare creates the indexes that the queries need. Without it everything works, but slowly.
func (s *Store) Prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	for _, c := range []struct {
		collection *mongo.Collection
		indexes    []bson.D
	}{
		{s.products, listingIndexes},
		{s.reservations, []bson.D{
			keys("state", "expiresAt"), keys("state", "updatedAt"), keys("lines.productId", "state", "expiresAt"),
		}},
		{s.adjustments, []bson.D{keys("state", "updatedAt"), keys("productId", "updatedAt")}},
	} {
		var models []mongo.IndexModel
		for _, keys := range c.indexes {
			models = append(models, mongo.IndexModel{Keys: keys})
		}
		if _, err := c.collection.Indexes().CreateMany(ctx, models); err != nil {
			return fmt.Errorf("create indexes of %s: %w", c.collection.Name(), err)
		}
	}
	s.indexed.Store(true)
	return nil
}

// insert stores a new document, or returns exists if its ID is taken.
func insert(ctx context.Context, into *mongo.Collection, document any, exists error) error {
	_, err := into.InsertOne(ctx, document)
	if mongo.IsDuplicateKeyError(err) {
		return exists
	}
	return err
}

// one decodes the document of a FindOne or FindOneAndUpdate. It reports false if there was none.
func one[T any](result *mongo.SingleResult) (T, bool, error) {
	var d T
	err := result.Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return d, false, nil
	}
	return d, err == nil, err
}

// found is one for a document that must exist; otherwise it returns missing.
func found[T any](result *mongo.SingleResult, missing error) (T, error) {
	d, ok, err := one[T](result)
	if err == nil && !ok {
		err = missing
	}
	return d, err
}

// after are the options of an update that returns the document after it.
func after() *options.FindOneAndUpdateOptionsBuilder {
	return options.FindOneAndUpdate().SetReturnDocument(options.After)
}

// find returns all documents that match.
func find[T any](
	ctx context.Context, in *mongo.Collection, filter bson.M, o *options.FindOptionsBuilder,
) ([]T, error) {
	cursor, err := in.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	var found []T
	err = cursor.All(ctx, &found)
	return found, err
}

// eachTimeout bounds each: a product with 100,000 orders takes seconds.
const eachTimeout = 2 * time.Minute

// each yields the documents that match one by one; there may be too many for the memory.
func each[T any](ctx context.Context, in *mongo.Collection, filter bson.M, yield func(T) error) error {
	ctx, cancel := context.WithTimeout(ctx, eachTimeout)
	defer cancel()
	cursor, err := in.Find(ctx, filter, options.Find().SetBatchSize(1000))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		var d T
		if err := cursor.Decode(&d); err != nil {
			return err
		}
		if err := yield(d); err != nil {
			return err
		}
	}
	return cursor.Err()
}

// keys are the keys of an index or a sort, in ascending order; those with a - are descending. They are also a projection to
// fields besides the _id.
func keys(names ...string) bson.D {
	var d bson.D
	for _, n := range names {
		if n[0] == '-' {
			d = append(d, bson.E{Key: n[1:], Value: -1})
		} else {
			d = append(d, bson.E{Key: n, Value: 1})
		}
	}
	return d
}

// in is the condition that a field has one of the values. Of no values it is never true: nil would be sent as null, which the
// server rejects.
func in[T any](values []T) bson.M { return bson.M{"$in": append([]T{}, values...)} }
