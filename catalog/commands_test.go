package catalog

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/memorytest"
	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/catalog/storetest"
	"github.com/ordersaga/ordersaga/internal/program"
)

// sold returns a stock of 3 kettles of which 1 is sold, in a store.
func sold(t *testing.T, store storetest.Store) *stock.Service {
	t.Helper()
	body := `{"id": "kettle", "name": "Kettle", "price": {"amount": 2999, "currency": "EUR"}, "stock": 3, "category": "kitchen"}`
	if a := send(t, serve(t, store), "POST", "/products", body); a.status != 201 {
		t.Fatalf("seed: %d", a.status)
	}
	service := stock.New(store, stock.Options{Now: func() time.Time { return clock }})
	_, err := service.Reserve(t.Context(), string(orderOne), []stock.Line{{ProductID: "kettle", Quantity: 1}}, clock.Add(time.Hour))
	if err == nil {
		_, err = service.Commit(t.Context(), string(orderOne))
	}
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// loseUnits takes two units away past the protocol.
func loseUnits(t *testing.T, store storetest.Store) {
	t.Helper()
	_, ok, err := store.Apply(t.Context(), stock.Update{ProductID: "kettle", Reservation: "nobody", Set: stock.MarkBar, Available: -2})
	if !ok || err != nil {
		t.Fatalf("tamper: %t, %v", ok, err)
	}
}

func TestCheckAndRepairSayAndDoWhatTheyShould(t *testing.T) {
	t.Parallel()
	store := memorytest.New()
	service := sold(t, store)
	var out bytes.Buffer
	run := func(r request) (drifted bool) {
		t.Helper()
		out.Reset()
		drifted, err := keeper{store, service, &out, r}.do(t.Context())
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return drifted
	}
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(out.String(), text) {
			t.Errorf("%s: it says\n%swant %q", what, &out, text)
		}
	}
	if run(request{command: checkCommand}) {
		t.Errorf("false alarm: %s", &out)
	}
	loseUnits(t, store)
	for _, r := range []request{{command: checkCommand}, {command: repairCommand}, {command: checkCommand, product: "kettle"}} {
		if !run(r) {
			t.Errorf("%+v: no drift", r)
		}
		says("a drift", "kettle: available 0 (should be 2), held 0, sold 1, restocked 0, marks 2\n")
		says("the sum", "1 products: 1 drifted, 0 repaired\n")
	}
	if run(request{command: repairCommand, apply: true, reason: "ticket 7"}) {
		t.Error("something is left after the repair")
	}
	says("the repair", "1 products: 1 drifted, 1 repaired\n")
	if run(request{command: checkCommand}) {
		t.Errorf("after the repair: %s", &out)
	}
	run(request{command: movementsCommand, product: "kettle"})
	says("the ledger", "REPAIR  +2")
	says("the ledger", "ticket 7")
}

func TestWrongArgumentsOfCommandsAreNamed(t *testing.T) {
	t.Parallel()
	for args, text := range map[string]string{
		"repair --apply":   "--reason",
		"movements":        "--product",
		"check --apply":    "apply",
		"check everything": "everything",
		"check":            "MONGODB_URI",
	} {
		var stdout, stderr bytes.Buffer
		code := execute(t.Context(), strings.Fields(args), nil, &stdout, &stderr)
		if code != program.ExitUsage || !strings.Contains(stderr.String(), text) {
			t.Errorf("%s: exit %d, %s", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := execute(t.Context(), []string{"check", "--help"}, nil, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "--reason TEXT") {
		t.Errorf("help: exit %d, %s%s", code, &stdout, &stderr)
	}
}

func TestCommandsExitWithWhatTheyFound(t *testing.T) {
	t.Parallel()
	c := configured(t)
	store, err := mongodb.Open(c.MongoDBURI, c.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	if err := errors.Join(store.Prepare(t.Context())); err != nil {
		t.Fatal(err)
	}
	sold(t, store)
	exits := func(want int, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		environ := []string{"MONGODB_URI=" + c.MongoDBURI, "MONGODB_DATABASE=" + c.Database}
		if code := execute(t.Context(), args, environ, &stdout, &stderr); code != want {
			t.Errorf("%q: exit %d, want %d\n%s%s", args, code, want, &stdout, &stderr)
		}
	}
	exits(0, "check")
	loseUnits(t, store)
	exits(1, "check")
	exits(1, "repair", "--reason", "r")
	exits(0, "repair", "--reason", "r", "--apply")
	exits(0, "check", "--json")
	exits(0, "movements", "--product", "kettle", "--json")
	exits(3, "check", "--product", "ghost")
}
