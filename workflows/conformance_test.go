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
	// writeDoc names a variable: when it is set, the document is written rather than compared.
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

// conformance is the document. What it counts is what the tests run; whether they pass, only the tests say.
func conformance() string {
	var b strings.Builder
	both := len(singles()) + len(pairs())
	fmt.Fprintf(&b, `<!-- Generated: make conformance runs every trial below and, when all pass, writes this file. -->

# Conformance of the order saga

What is done to the saga of an order, and what must hold whatever is done. The workflow is the real one, in Temporal's
test environment; around it stand stateful fakes that pass the same contracts as the real adapters
(`+"`internal/order/ordertest`"+`). What that environment cannot show (killed processes, a real server that discards tasks,
terminations, resets) is in `+"`e2e`"+`, on real services.

`+"`make conformance`"+` runs everything on this page: %d trials, %d of them with one disturbance and %d with two, and %d
invariants after each. `+"`make test`"+` runs every single disturbance and one in %d of the pairs, besides random schedules of
up to eight disturbances.

`, both, len(singles()), len(pairs()), len(invariants), pairsInTest)
	for _, w := range matrixWays {
		matrixTable(&b, w)
	}
	b.WriteString("## Invariants\n\nAfter each trial:\n\n")
	for i, inv := range invariants {
		fmt.Fprintf(&b, "%d. %s\n", i+1, inv.name)
	}
	b.WriteString(`
## Seeded bugs

Could the matrix fail? Each of these defects is patched into a copy of the source that only a second test binary is built
from. The test requires that the matrix fails, and that the invariant named here is among those that catch it.

| defect | in | caught by |
|---|---|---|
`)
	for _, s := range seeds {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", s.bug, s.file, s.invariant)
	}
	return b.String()
}

// matrixTable shows how many trials disturb a step in a manner, alone and together with another disturbance.
func matrixTable(b *strings.Builder, w way) {
	trials := map[string]int{}
	for _, c := range append(singles(), pairs()...) {
		if c.way.name != w.name {
			continue
		}
		for _, p := range c.points {
			trials[p.String()]++
		}
	}
	fmt.Fprintf(b, "## The way %s\n\nTrials with the disturbance on the left at the step above:\n\n|  | %s |\n|---|%s\n",
		w.name, strings.Join(w.steps, " | "), strings.Repeat("--:|", len(w.steps)))
	for _, m := range manners() {
		fmt.Fprintf(b, "| %s |", m.name)
		for _, op := range w.steps {
			fmt.Fprintf(b, " %d |", trials[point{op, m}.String()])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}
