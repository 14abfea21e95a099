package mongodb_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func open(t *testing.T) storetest.Store {
	t.Helper()
	uri, database := servicestest.MongoDB(t)
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
	if err := mongodb.Incomplete(t.Context(), store, old); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateProduct(t.Context(), product.Product{ID: "new", Name: "Lamp new"}); err != nil {
		t.Fatal(err)
	}
	dear := money.Money{Amount: 1_000_000, Currency: "EUR"}
	if _, err := store.ChangeProduct(t.Context(), "lamp0007", product.Patch{Price: &dear}, time.Now()); err != nil {
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
		for i, p := range slices.DeleteFunc(listed, func(p product.Product) bool { return p.ID == "new" || p.ID == "lamp0007" }) {
			if i >= old-1-7 { // from the changed one on
				i++
			}
			if want := fmt.Sprintf("lamp%04d", old-1-i); p.ID != want || p.Number == 0 {
				t.Fatalf("place %d: %s with number %d, want %s", i, p.ID, p.Number, want)
			}
		}
		for _, f := range []struct{ from, to, products int64 }{{100, 399, 300}, {1_000_000, 1_000_000, 1}, {0, 10, 11}} {
			q := product.Query{Filter: product.Filter{MinPrice: &f.from, MaxPrice: &f.to}, Limit: old, Matches: 1_000_000}
			if found, err := store.ListProducts(t.Context(), q); err != nil || int64(len(found)) != f.products {
				t.Errorf("from %d to %d: %d products, %v; want %d", f.from, f.to, len(found), err, f.products)
			}
		}
		if err := store.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPagesAreReadInTheOrderOfAnIndex asks the server for its plans: a page that is sorted costs more, the more products
// there are, and so does a count that reads documents.
func TestPagesAreReadInTheOrderOfAnIndex(t *testing.T) {
	t.Parallel()
	store := open(t).(*mongodb.Store)
	if err := mongodb.Incomplete(t.Context(), store, 1200); err != nil {
		t.Fatal(err)
	}
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	low, high, dear := int64(200), int64(500), int64(1100)
	for name, f := range map[string]product.Filter{
		"all": {}, "category": {Category: "garden"}, "word": {Words: []string{"lamp"}}, "words": {Words: []string{"lamp", "no"}},
		"prices": {MinPrice: &low, MaxPrice: &high}, "category and prices": {Category: "garden", MinPrice: &low, MaxPrice: &high},
		"dear": {MinPrice: &dear}, "cheap": {MaxPrice: &low}, "word and prices": {Words: []string{"lamp"}, MinPrice: &low},
	} {
		for _, before := range []int64{0, 1000} {
			plan, err := mongodb.ExplainListing(t.Context(), store, product.Query{Filter: f, Before: before, Limit: 10, Matches: 1_000_000})
			if err != nil {
				t.Fatal(err)
			}
			if kinds := stages(plan); len(kinds) == 0 || slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, "sort") }) {
				t.Errorf("%s, before %d: the plan is %v", name, before, kinds)
			}
		}
		if len(f.Words) > 0 || name == "all" { // of so few, the documents are as good as the index
			continue
		}
		plan, err := mongodb.ExplainCount(t.Context(), store, f)
		if err != nil {
			t.Fatal(err)
		}
		kinds := stages(plan)
		if !slices.Contains(kinds, "Index Only Scan") && (!slices.Contains(kinds, "IXSCAN") || slices.Contains(kinds, "FETCH")) {
			t.Errorf("%s, counted: the plan is %v", name, kinds)
		}
	}
}

// stages are the steps of a server's plan: of DocumentDB's, or of MongoDB's.
func stages(plan any) (kinds []string) {
	switch plan := plan.(type) {
	case bson.M:
		for key, value := range plan {
			if kind, ok := value.(string); ok && (key == "Node Type" || key == "stage") {
				kinds = append(kinds, kind)
			}
			if key != "rejectedPlans" {
				kinds = append(kinds, stages(value)...)
			}
		}
	case bson.D:
		for _, e := range plan {
			kinds = append(kinds, stages(bson.M{e.Key: e.Value})...)
		}
	case bson.A:
		for _, value := range plan {
			kinds = append(kinds, stages(value)...)
		}
	}
	return kinds
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
