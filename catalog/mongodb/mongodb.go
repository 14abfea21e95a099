// Package mongodb keeps the catalog in MongoDB, or in any server that speaks its protocol and changes single documents
// atomically. It uses no transactions.
//
// Two collections: products (details, counters, marks) and reservations. Package stock says what the guarded updates on
// them are for; here each is one findOneAndUpdate whose filter is the guard.
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
)

// timeout bounds every operation, retries included; by default the driver would wait 30 s for a server.
const timeout = 2 * time.Second

// Store is a product.Store and a stock.Store.
type Store struct {
	client   *mongo.Client
	products *mongo.Collection
	// reservations are read linearizably: the protocol relies on reading them after everything that was answered.
	reservations *mongo.Collection
	// due finds reservations that want attention; each is then changed under its guard, so an old answer is harmless.
	due *mongo.Collection
	// counters hold the number of the newest product.
	counters *mongo.Collection
	indexed  atomic.Bool // the indexes are there
	// completed says that products of earlier versions have what they lacked. Until then listings don't rely on it.
	completed atomic.Bool
}

// errURI stands for the driver's error, which may show a password.
var errURI = errors.New("not a valid mongodb:// or mongodb+srv:// URI")

// CheckURI reports an error when the URI cannot be one of a server.
func CheckURI(uri string) error {
	if options.Client().ApplyURI(uri).Validate() != nil {
		return errURI
	}
	return nil
}

// Open returns the store in a database. It connects in the background: Ping says whether the server is there.
func Open(uri, database string) (*Store, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).
		SetAppName("catalog").
		SetTimeout(timeout).
		SetServerSelectionTimeout(timeout).
		SetMaxPoolSize(100).
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		return nil, errURI
	}
	db := client.Database(database)
	linearizable := options.Collection().SetReadConcern(readconcern.Linearizable())
	return &Store{
		client:       client,
		products:     db.Collection("products"),
		reservations: db.Collection("reservations", linearizable),
		due:          db.Collection("reservations"),
		counters:     db.Collection("counters"),
	}, nil
}

// Close ends the connections; operations in hand fail.
func (s *Store) Close(ctx context.Context) error { return s.client.Disconnect(ctx) }

// Drop removes everything. It is for tests.
func (s *Store) Drop(ctx context.Context) error { return s.products.Database().Drop(ctx) }

// Ping asks the server whether it is there.
func (s *Store) Ping(ctx context.Context) error { return s.client.Ping(ctx, readpref.Primary()) }

// Prepare makes the indexes that the queries need, drops those that only earlier versions needed, and gives products of
// earlier versions what they lack. Without it everything works, slowly, but such products are last in listings.
func (s *Store) Prepare(ctx context.Context) error {
	if err := s.createIndexes(ctx); err != nil {
		return err
	}
	s.indexed.Store(true)
	if err := s.completeAll(ctx); err != nil {
		return fmt.Errorf("complete the products: %w", err)
	}
	s.completed.Store(true)
	return nil
}

// indexNotFound is the code of the error that says that an index to drop is not there.
const indexNotFound = 27

// indexTimeout bounds making one, which takes a minute or two on a shelf of a million products.
const indexTimeout = 30 * time.Minute

func (s *Store) createIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	var shelf []mongo.IndexModel
	for _, keys := range shelfIndexes {
		shelf = append(shelf, mongo.IndexModel{Keys: keys})
	}
	_, err := s.products.Indexes().CreateMany(ctx, shelf)
	if err != nil {
		return fmt.Errorf("create indexes of products: %w", err)
	}
	for _, keys := range retiredIndexes {
		err := s.products.Indexes().DropWithKey(ctx, keys)
		if command := (mongo.CommandError{}); err != nil && !(errors.As(err, &command) && command.HasErrorCode(indexNotFound)) {
			return fmt.Errorf("drop an index of products: %w", err)
		}
	}
	_, err = s.due.Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: "state", Value: 1}, {Key: "expiresAt", Value: 1}}},
		{Keys: bson.D{{Key: "state", Value: 1}, {Key: "updatedAt", Value: 1}}},
		{Keys: bson.D{{Key: "lines.productId", Value: 1}, {Key: "state", Value: 1}, {Key: "expiresAt", Value: 1}}},
	})
	if err != nil {
		return fmt.Errorf("create indexes of reservations: %w", err)
	}
	return nil
}

// exists is a condition on whether a field is there.
func exists(there bool) bson.D { return bson.D{{Key: "$exists", Value: there}} }

func in[T any](values []T) bson.D { return bson.D{{Key: "$in", Value: values}} }

// Unavailable reports whether an error means that the server could not be reached or did not answer in time.
func Unavailable(err error) bool {
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, mongo.ErrClientDisconnected)
}
