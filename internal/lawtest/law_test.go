package lawtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Groups of packages that rules share.
var (
	domain   = []string{"internal/money", "internal/order"}
	plumbing = []string{"internal/auth", "internal/env", "internal/httpapi", "internal/httpapi/problem", "internal/httpserver", "internal/pgdb", "internal/program", "internal/telemetry"}
	// adapters each know one technology. They never know each other.
	adapters = []string{"catalog/catalogclient", "internal/catalogadapter", "internal/postgres", "internal/rabbitmq", "internal/stripe", "internal/temporalclient"}
)

// law says what a package may import of this module. Plumbing may import plumbing; packages that are not named here may
// import nothing of it.
var law = map[string][]string{
	"internal/money":     {},
	"internal/moneytext": {"internal/money"},
	"internal/order":     {"internal/money"},

	"internal/auth":    plumbing,
	"internal/httpapi": plumbing,
	"internal/program": plumbing,

	"api/orderclient":         {}, // clients may take it as it is
	"catalog/catalogclient":   {}, // like orderclient
	"internal/catalogadapter": append([]string{"catalog/catalogclient"}, domain...),
	"internal/postgres":       append([]string{"internal/pgdb"}, domain...),
	"internal/rabbitmq":       domain,
	"internal/stripe":         domain,
	"internal/temporalclient": domain,

	"saga":       {},
	"activities": append([]string{"saga"}, domain...),
	"workflows":  append([]string{"saga", "activities", "internal/moneytext"}, domain...),

	"catalog/stock":           {},
	"catalog/product":         domain,
	"catalog/mongodb":         {"catalog/product", "catalog/stock", "internal/money"},
	"catalog/memorytest":      {"catalog/product", "catalog/stock"},
	"catalog/stock/stocktest": {"catalog/product", "catalog/stock"},
	"catalog/storetest":       {"catalog/product", "catalog/stock", "catalog/stock/stocktest", "internal/money"},
	"stripesim/gateway":       append([]string{"internal/money", "internal/moneytext"}, plumbing...),

	"internal/auth/authtest":         {"internal/auth"},
	"internal/order/ordertest":       domain,
	"internal/rabbitmq/rabbitmqtest": {"internal/porttest"},

	// Programs wire the rest together. Each sees only what it needs.
	"api":             slices.Concat([]string{"api/orderclient", "workflows", "internal/postgres", "internal/stripe", "internal/temporalclient"}, domain, plumbing),
	"worker":          slices.Concat([]string{"workflows", "activities", "saga"}, adapters, domain, plumbing),
	"catalog":         slices.Concat([]string{"catalog/catalogclient", "catalog/mongodb", "catalog/product", "catalog/stock"}, domain, plumbing),
	"notifier":        slices.Concat([]string{"internal/moneytext", "internal/rabbitmq", "internal/webhook"}, domain, plumbing),
	"cmd/deadletter":  {"internal/env", "internal/program", "internal/rabbitmq"},
	"cmd/api":         {"api", "internal/program"},
	"cmd/catalog":     {"catalog", "internal/program"},
	"cmd/healthcheck": {"internal/program"},
	"cmd/notifier":    {"notifier", "internal/program"},
	"cmd/stripesim":   {"stripesim", "internal/program"},
	"cmd/worker":      {"worker", "internal/program"},
	"stripesim":       append([]string{"stripesim/gateway"}, plumbing...),
	"cmd/reconcile":   slices.Concat([]string{"internal/postgres", "internal/stripe"}, domain, plumbing),
}

// onlyStandard may import the standard library and the domain, nothing else.
var onlyStandard = domain

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func TestImportsKeepTheLaw(t *testing.T) {
	t.Parallel()
	const module = "github.com/ordersaga/ordersaga/"
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			own, isOwn := strings.CutPrefix(imported, module)
			if isOwn && !slices.Contains(law[name], own) {
				t.Errorf("%s imports %s: the import law does not allow it (see law_test.go)", name, own)
			}
			if !isOwn && slices.Contains(onlyStandard, name) && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: the domain imports only the standard library", name, imported)
			}
		}
	}
}

func TestLawNamesNoPackageThatIsGone(t *testing.T) {
	t.Parallel()
	var there []string
	for _, p := range packages(t) {
		there = append(there, strings.TrimPrefix(p.ImportPath, "github.com/ordersaga/ordersaga/"))
	}
	for name, imports := range law {
		for _, n := range append(imports, name) {
			if !slices.Contains(there, n) {
				t.Errorf("the law names %s, which does not exist", n)
			}
		}
	}
}

// packages lists the packages of the module with their imports, tests left out.
func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Standard", "github.com/ordersaga/ordersaga/...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
