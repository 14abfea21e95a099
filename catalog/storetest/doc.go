// Package storetest tests the catalog's stores: the one in MongoDB, and the one in memory that other tests use instead.
// Both keep the same contract, and the stock protocol keeps its promises on both, whatever crashes, repeats or comes late.
//
// In a random history two services with their own caches, like two processes, work on two products for a few orders. Calls
// are interleaved at every single store operation. An operation may succeed, fail, succeed and lose its response, or fail
// for its caller and land at any later moment. A caller may die anywhere, time passes, and marks are pruned. After each
// operation the tests check what package stock promises.
//
//	            ┌── service 1 ──┐ each call parks here before each operation until it is chosen
//	chooser ──▶ │               ├──▶ gate ──▶ store
//	            └── service 2 ──┘
package storetest

import (
	"context"
	"testing"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// Store is both stores that the catalog needs.
type Store interface {
	stock.Store
	product.Store
}

// InMongoDB returns an empty store on the real server.
func InMongoDB(t testing.TB) *mongodb.Store {
	t.Helper()
	uri, database := servicestest.MongoDB(t)
	store, err := mongodb.Open(uri, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for range 2 { // the second time the indexes exist
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return store
}
