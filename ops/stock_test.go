package ops

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// sold returns a stock of 3 kettles, 1 of them sold, in a store.
func sold(t *testing.T, store storetest.Store) *stock.Service {
	t.Helper()
	kettle := product.Product{
		ID: "kettle", Name: "Kettle", Category: "kitchen", Price: money.Money{Amount: 2999, Currency: "EUR"}, Stock: 3,
	}
	if _, err := product.New(store, time.Now).Create(t.Context(), kettle); err != nil {
		t.Fatal(err)
	}
	const orderID = "00000000-0000-4000-8000-000000000001"
	service := stock.New(store, stock.Options{})
	_, err := service.Reserve(t.Context(), orderID, []stock.Line{{ProductID: "kettle", Quantity: 1}}, time.Now().Add(time.Hour))
	if err == nil {
		_, err = service.Commit(t.Context(), orderID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// loseUnits takes two units away and bypasses the protocol.
func loseUnits(t *testing.T, store storetest.Store) {
	t.Helper()
	tampering := stock.Update{
		ProductID: "kettle", Owner: "unknown", Set: stock.MarkTombstone, Delta: stock.Delta{Available: -2},
	}
	_, ok, err := store.Apply(t.Context(), tampering)
	if !ok || err != nil {
		t.Fatalf("tamper: %t, %v", ok, err)
	}
}

func TestStockIsCheckedAndRepaired(t *testing.T) {
	t.Parallel()
	store := memorytest.New()
	units := sold(t, store)
	var out bytes.Buffer
	report := func(product string, c change) error {
		t.Helper()
		out.Reset()
		return reportStock(t.Context(), units, &output{out: &out}, product, c)
	}
	wants := func(what, text string) {
		t.Helper()
		if !strings.Contains(out.String(), text) {
			t.Errorf("%s: the output is\n%swant %q in it", what, &out, text)
		}
	}
	if err := report("", change{}); err != nil {
		t.Errorf("false alarm: %v\n%s", err, &out)
	}
	loseUnits(t, store)
	for _, product := range []string{"", "kettle"} {
		if err := report(product, change{}); err == nil || err != left("drifted products left: 1") {
			t.Errorf("product %q: got %v, want a drift", product, err)
		}
		wants("a drift", "kettle: available 0 (should be 2), restocked 0, marks 2\n")
		wants("the summary", "products: 1, drifted: 1, repaired: 0\n")
	}
	var asJSON bytes.Buffer
	if err := reportStock(t.Context(), units, &output{out: &asJSON, json: true}, "", change{}); err == nil {
		t.Error("JSON: no drift")
	}
	wantJSON := `{"productId":"kettle","is":{"available":0,"restocked":0,"marks":2},` +
		`"shouldBe":{"available":2,"restocked":0,"marks":2},"repaired":false}
{"summary":{"products":1,"drifted":1,"repaired":0,"undecided":0}}
`
	if diff := cmp.Diff(wantJSON, asJSON.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	if err := report("", change{Apply: true, Operator: "ann", Reason: "ticket 7"}); err != nil {
		t.Errorf("the repair leaves %v", err)
	}
	wants("the repair", "products: 1, drifted: 1, repaired: 1\n")
	if err := report("", change{}); err != nil {
		t.Errorf("after the repair: %v\n%s", err, &out)
	}
	out.Reset()
	if err := movements(t.Context(), units, &output{out: &out}, "kettle"); err != nil {
		t.Error(err)
	}
	wants("the ledger", "REPAIR  +2")
	wants("the ledger", "ann: ticket 7")
}

func TestStockCommandsOnMongoDB(t *testing.T) {
	t.Parallel()
	uri, database := servicestest.MongoDB(t)
	store, err := mongodb.Open(uri, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(store.Drop(context.Background()), store.Close(context.Background())) })
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	sold(t, store)
	exits := func(want int, args ...string) {
		t.Helper()
		environ := []string{"MONGODB_URI=" + uri, "MONGODB_DATABASE=" + database}
		if got := run(t.Context(), environ, append([]string{"stock"}, args...)...); got.code != want {
			t.Errorf("%q: exit code %d, want %d\n%s%s", args, got.code, want, got.stdout, got.stderr)
		}
	}
	exits(exitDone, "check")
	loseUnits(t, store)
	exits(exitLeft, "check")
	exits(exitLeft, "repair")
	exits(exitDone, "repair", "--apply", "--operator", "ann", "--reason", "ticket 7")
	exits(exitDone, "check", "--json")
	exits(exitDone, "movements", "--product", "kettle", "--json")
	exits(exitLeft, "check", "--product", "ghost")
	exits(exitLeft, "movements", "--product", "ghost")
}
