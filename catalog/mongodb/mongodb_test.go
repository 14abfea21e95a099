package mongodb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ordersaga/catalog/mongodb"
	"ordersaga/catalog/storetest"
	"ordersaga/internal/testenv"
)

func open(t *testing.T) storetest.Store {
	t.Helper()
	uri, database := testenv.MongoDB(t)
	store, err := mongodb.Open(uri, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := store.Drop(ctx); err != nil {
			t.Errorf("drop %s: %v", database, err)
		}
		if err := store.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	for range 2 { // the second time they are there
		if err := store.CreateIndexes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

func TestAServerThatIsNotThereIsSaidInTime(t *testing.T) {
	t.Parallel()
	store, err := mongodb.Open("mongodb://user:sesame@127.0.0.1:1/", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	began := time.Now()
	err = store.Ping(t.Context())
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("ping: %v after %s", err, time.Since(began))
	}
	if err != nil && strings.Contains(err.Error(), "sesame") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestAWrongURIShowsNoPassword(t *testing.T) {
	t.Parallel()
	_, err := mongodb.Open("mongodb://user:sesame@:::/", "nothing")
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("open: %v", err)
	}
}
