package mongodb_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ordersaga/catalog/mongodb"
	"ordersaga/catalog/product"
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
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

func TestProductsOfBeforeThereWereNumbersAreListedAndFound(t *testing.T) {
	t.Parallel()
	const old = 1200 // some batches
	store := open(t).(*mongodb.Store)
	if err := mongodb.Unnumbered(t.Context(), store, old); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateProduct(t.Context(), product.Product{ID: "new", Name: "Lamp new"}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 3 { // as many instances start at once
		all.Go(func() {
			if err := store.Prepare(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 2 { // what was numbered is left alone
		listed, err := store.ListProducts(t.Context(), product.Query{
			Filter: product.Filter{Words: product.Words("lamp")}, Limit: old + 1, Matches: old + 1,
		})
		if err != nil || len(listed) != old+1 {
			t.Fatalf("%d products listed, %v", len(listed), err)
		}
		for i, p := range slices.DeleteFunc(listed, func(p product.Product) bool { return p.ID == "new" }) {
			if want := fmt.Sprintf("lamp%04d", old-1-i); p.ID != want || p.Number == 0 {
				t.Fatalf("place %d: %s with number %d, want %s", i, p.ID, p.Number, want)
			}
		}
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
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
