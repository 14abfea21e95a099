package workflows_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	conformanceDoc = "../docs/conformance.md"
	// writeDoc is an environment variable: when it is set, the test writes the document rather than comparing it.
	writeDoc = "CONFORMANCE_WRITE"
)

func TestConformanceDocumentShowsTheMatrix(t *testing.T) {
	t.Parallel()
	want := conformance()
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
func conformance() string {
	var b strings.Builder
	operations := 0
	for _, p := range paths {
		operations += len(p.steps)
	}
	fmt.Fprintf(&b, `<!-- Generated: make conformance runs every trial below and, when all pass, writes this file. -->

# Conformance of the order saga

What the tests do to an order's saga, and what must hold afterwards. The workflow is the real one, in Temporal's test
environment, over stateful fakes that pass the same contracts as the real adapters (`+"`internal/order/ordertest`"+`). What
that environment cannot show (killed processes, a real server that discards tasks, terminations, resets) is in `+"`e2e`"+`, on
real services.

Each of the %d disturbances strikes each operation on both paths through the saga: %d × %d = %d trials. Each is also combined
with every other disturbance on the same path: %s pairs. Nothing is left out. After each trial all %d invariants must hold.
`+"`make conformance`"+` runs all of it. `+"`make test`"+` runs every single disturbance, one in %d of the pairs, and random
schedules of up to eight disturbances.

## Paths

| the order is | operations, in order |
|---|---|
`, len(manners()), len(manners()), operations, len(singles()), thousands(len(pairs())), len(invariants), pairsInTest)
	for _, p := range paths {
		fmt.Fprintf(&b, "| %s | %s |\n", p.name, strings.Join(p.steps, ", "))
	}
	b.WriteString("\n## Disturbances\n\n| disturbance | what happens to the operation |\n|---|---|\n")
	for _, m := range manners() {
		fmt.Fprintf(&b, "| %s | %s |\n", m.name, m.about)
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
