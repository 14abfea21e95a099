package workflows_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/saga/sagatest"
)

const (
	conformanceDoc = "../docs/conformance.md"
	// writeDoc is an environment variable: when it is set, the test writes the document rather than comparing it.
	writeDoc = "CONFORMANCE_WRITE"
)

func TestConformanceDocumentShowsTheMatrix(t *testing.T) {
	t.Parallel()
	scope, err := sagatest.Survey(explored())
	if err != nil {
		t.Fatal(err)
	}
	want := conformance(scope)
	if os.Getenv(writeDoc) != "" {
		if err := os.WriteFile(conformanceDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(conformanceDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/conformance.md is out of date, run make conformance (-want +got):\n%s", diff)
	}
}

// conformance is the document. It shows what the tests run; only the tests say whether they pass.
func conformance(scope sagatest.Scope) string {
	var b strings.Builder
	activities := 0
	for _, p := range scope.Paths {
		activities += len(p.Activities)
	}
	fmt.Fprintf(&b, `<!-- Generated: make conformance runs every trial below and, when all pass, writes this file. -->

# Conformance of the order saga

What the tests do to an order's saga, and what must hold afterwards. The workflow is the real one, in Temporal's test
environment, over stateful fakes that pass the same contracts as the real adapters (`+"`internal/order/ordertest`"+`). The
explorer is the one that any user of the saga library has (`+"[`saga/sagatest`](../saga/sagatest/doc.go)"+`). What that
environment cannot show (killed processes, a real server that discards tasks, terminations, resets) is in `+"`e2e`"+`, on real
services.

Each of the %d disturbances strikes each activity on both paths through the saga: %d × %d = %d trials. Each is also combined
with every other disturbance on the same path: %s pairs. Nothing is left out. After each trial the saga must have ended, what
is in effect must suit its end, and all %d invariants must hold. `+"`make conformance`"+` runs all of it.
`+"`make test`"+` runs every single disturbance, %d of the pairs, and %s random schedules of up to eight disturbances; after each
of those the workflow is reset or recovered, which must change nothing.

## Paths

| path | activities, in order |
|---|---|
`, len(scope.Disturbances), len(scope.Disturbances), activities, scope.Singles(), thousands(scope.Pairs()), len(invariants),
		pairsInTest, thousands(randomInTest))
	for _, p := range scope.Paths {
		fmt.Fprintf(&b, "| %s | %s |\n", p.Name, strings.Join(p.Activities, ", "))
	}
	b.WriteString("\n## Disturbances\n\n| disturbance | what happens |\n|---|---|\n")
	for _, d := range scope.Disturbances {
		fmt.Fprintf(&b, "| %s | %s |\n", d.Name, d.About)
	}
	b.WriteString(`
## Invariants and seeded bugs

Could the matrix fail? Each seeded bug is a deliberate defect, patched into a copy of the source that only a second test
binary is built from. The test requires that single disturbances find it, and that they violate the invariant in its row.
Every invariant has one.

| invariant | seeded bugs that violate it |
|---|---|
`)
	for _, inv := range invariants {
		var bugs []string
		for _, s := range seeds {
			if s.invariant == inv.name {
				bugs = append(bugs, fmt.Sprintf("%s (`%s`)", s.bug, s.file))
			}
		}
		fmt.Fprintf(&b, "| %s | %s |\n", inv.name, strings.Join(bugs, "<br>"))
	}
	return b.String()
}

// thousands writes a number below a million with a comma.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
