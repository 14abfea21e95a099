package mongodb_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/money"
)

func TestAWrongNumberOfMarksIsFoundAndRepaired(t *testing.T) {
	t.Parallel()
	store := storetest.InMongoDB(t)
	if err := store.CreateProduct(t.Context(), product.Product{ID: "kettle", Stock: 10}); err != nil {
		t.Fatal(err)
	}
	service := stock.New(store, stock.Options{})
	lines := []stock.Line{{ProductID: "kettle", Quantity: 1}}
	if _, err := service.Reserve(t.Context(), "o1", lines, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	miscount := stock.Update{
		ProductID: "kettle", Owner: "tampering", Set: stock.MarkTombstone, Delta: stock.Delta{Marks: 2},
	}
	if _, ok, err := store.Apply(t.Context(), miscount); !ok || err != nil {
		t.Fatalf("tamper: %t, %v", ok, err)
	}
	drift, err := service.Repair(t.Context(), "kettle", "counted by hand")
	if err != nil || drift.Delta() != (stock.Delta{Marks: -2}) {
		t.Errorf("repaired %+v, %v; want two marks less", drift, err)
	}
	if found, err := service.Audit(t.Context()); err != nil || len(found.Drifts) > 0 {
		t.Errorf("after the repair: %+v, %v", found, err)
	}
}

// The server's plans show it: a page that is sorted costs more the more products there are, and so does a count that reads
// documents.
func TestPagesAreReadInTheOrderOfAnIndex(t *testing.T) {
	t.Parallel()
	store := storetest.InMongoDB(t)
	var lamps []product.Product
	for i := range int64(1200) {
		lamps = append(lamps, product.Product{
			ID: fmt.Sprintf("lamp%04d", i), Name: fmt.Sprintf("Lamp, No. %d", i), Price: money.Money{Amount: i, Currency: "EUR"},
		})
	}
	if err := store.CreateProducts(t.Context(), lamps); err != nil {
		t.Fatal(err)
	}
	const low, high, dear = 200, 500, 1100
	for name, f := range map[string]product.Filter{
		"all": {}, "category": {Category: "garden"}, "word": {Words: []string{"lamp"}}, "words": {Words: []string{"lamp", "no"}},
		"prices": {MinPrice: low, Below: high}, "category and prices": {Category: "garden", MinPrice: low, Below: high},
		"dear": {MinPrice: dear}, "cheap": {Below: low}, "word and prices": {Words: []string{"lamp"}, MinPrice: low},
	} {
		for _, before := range []int64{0, 1000} {
			query := product.Query{Filter: f, Before: before, Limit: 10, Matches: 1_000_000}
			plan, err := mongodb.ExplainListing(t.Context(), store, query)
			if err != nil {
				t.Fatal(err)
			}
			if kinds := stages(plan); len(kinds) == 0 || slices.ContainsFunc(kinds, isSort) {
				t.Errorf("%s, before %d: the plan is %v", name, before, kinds)
			}
		}
		if len(f.Words) > 0 || name == "all" { // for so few, reading the documents costs no more
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

func isSort(stage string) bool { return strings.EqualFold(stage, "sort") }

// stages returns the steps of a plan of DocumentDB or of MongoDB.
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

func TestAnUnreachableServerIsReportedInTime(t *testing.T) {
	t.Parallel()
	store, err := mongodb.Open("mongodb://user:sesame@127.0.0.1:1/", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	began := time.Now()
	err = store.Ready(t.Context())
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("ping: %v after %s", err, time.Since(began))
	}
	if err != nil && strings.Contains(err.Error(), "sesame") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestTheErrorOfAMalformedURIShowsNoPassword(t *testing.T) {
	t.Parallel()
	_, err := mongodb.Open("mongodb://user:sesame@:::/", "nothing")
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("open: %v", err)
	}
}

func TestHoldsAreCountedAndThoseThatHaveExpired(t *testing.T) {
	t.Parallel()
	store := storetest.InMongoDB(t)
	if err := store.CreateProduct(t.Context(), product.Product{ID: "kettle", Stock: 10}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	service := stock.New(store, stock.Options{Now: func() time.Time { return now.Add(-time.Hour) }})
	lines := []stock.Line{{ProductID: "kettle", Quantity: 1}}
	for id, expiry := range map[string]time.Time{"open": now.Add(time.Hour), "overdue": now.Add(-time.Minute), "sold": now.Add(time.Hour)} {
		if _, err := service.Reserve(t.Context(), id, lines, expiry); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := service.Commit(t.Context(), "sold"); err != nil {
		t.Fatal(err)
	}
	if open, overdue, err := store.Holds(t.Context()); open != 2 || overdue != 1 || err != nil {
		t.Errorf("%d holds, %d overdue, %v; want 2 and 1", open, overdue, err)
	}
}
