package workflows_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Seeded bugs: could the matrix fail? Each deliberate defect is patched into a copy of the source that only a second test
// binary is built from (go's -overlay), so the repository's code has none of it. An environment variable switches one on.

// seed is a defect: new replaces old in file. In new, SEEDED is true when the defect is switched on.
type seed struct {
	bug       string
	file      string
	old, new  string
	invariant string // that must be violated
}

var seeds = []seed{
	{"no fence",
		"saga/run.go",
		"\tr.must(ctx, r.scope(FenceName",
		"\tif SEEDED {\n\t\treturn Backward\n\t}\n\tr.must(ctx, r.scope(FenceName",
		"the fence comes before any undo"},
	{"status written before the undos", "saga/run.go", "\tbegun, ended := 0, 0\n",
		"\tif SEEDED {\n\t\tr.must(ctx, r.scope(r.plan.Finish.Name, tuning{}, time.Hour), false, r.plan.Finish.Do, EntryDone)\n" +
			"\t}\n\tbegun, ended := 0, 0\n",
		"the end is recorded after the last undo"},
	{"only what this run remembers is undone", "saga/run.go", "range r.plan.undos() {\n\t\tdone := 0\n",
		"range r.plan.undos() {\n\t\tdone := 0\n\t\tif SEEDED {\n\t\t\tgroup = r.remembered(group)\n\t\t}\n",
		"all undos run, not only those that the run remembers"},
	{"undo on the cancelled context", "saga/run.go", "\tend := r.toEnd(ctx)\n",
		"\tif SEEDED {\n\t\tctx = parent\n\t}\n\tend := r.toEnd(ctx)\n",
		"the order ends"},
	{"no tombstone of a release", "internal/order/ordertest/catalog.go", "\th := c.holds[id]\n\tif h.state == Short {\n",
		"\th, held := c.holds[id]\n\tif SEEDED && !held {\n\t\treturn nil\n\t}\n\tif h.state == Short {\n",
		"a late call is refused after its undo"},
	{"no tombstone of a refund", "internal/order/ordertest/payments.go", "\tknown.cancelled = true\n",
		"\tknown.cancelled = !SEEDED || known.Captured > 0\n", "a late call is refused after its undo"},
	{"random idempotency key",
		"internal/order/ordertest/payments.go",
		"func key(p order.Payment) string { return string(p.OrderID) }",
		"func key(p order.Payment) string {\n\tif SEEDED {\n\t\treturn random()\n\t}\n\treturn string(p.OrderID)\n}",
		"at most one payment takes money"},
	{"refund without a key", "internal/order/ordertest/payments.go", "\tknown.Refunded = known.Captured\n",
		"\tif SEEDED {\n\t\tknown.Refunded += known.Captured\n\t} else {\n\t\tknown.Refunded = known.Captured\n\t}\n",
		"the gateway keeps the total of a CONFIRMED order, and otherwise nothing"},
	{"stock given back twice",
		"internal/order/ordertest/catalog.go",
		"\n\tif h.state != Released {\n",
		"\n\tif h.state != Released || SEEDED {\n",
		"stock is conserved"},
	{"a sale is accepted and not recorded", "internal/order/ordertest/catalog.go", "\th.state = Sold\n",
		"\tif !SEEDED {\n\t\th.state = Sold\n\t}\n", "stock is sold if and only if the order is CONFIRMED"},
	{"an undo's error is skipped",
		"saga/scope.go",
		"\tcase errors.Is(err, errSkipped):\n",
		"\tcase SEEDED && s.skippable:\n\t\treturn true, nil\n\tcase errors.Is(err, errSkipped):\n",
		"all undos run, not only those that the run remembers"},
	{"a step after unwinding began", "saga/run.go", "\tswitch verdict {\n",
		"\tif SEEDED && verdict == Backward {\n" +
			"\t\t_ = r.step(ctx, r.plan.Steps[len(r.plan.Steps)-1])\n\t}\n\tswitch verdict {\n",
		"no step starts after unwinding began"},
	{"the first cause is lost", "saga/run.go", "\tr.cause = r.forward(ctx)\n",
		"\tr.cause = r.forward(ctx)\n\tif SEEDED && r.cause != nil {\n\t\tr.cause = &Cause{Kind: TimedOut}\n\t}\n", "the first cause is kept"},
	{"the row takes the last cause", "internal/order/ordertest/memory.go", "\tcase o.Status == order.Pending && !o.Closing:\n",
		"\tcase o.Status == order.Pending && (!o.Closing || SEEDED):\n", "the first cause is kept"},
	{"the pivot is ignored: undone although CONFIRMED", "workflows/createorder.go", "\tcase s.row.Status == order.Confirmed:\n",
		"\tcase SEEDED:\n\t\treturn saga.Backward, nil\n\tcase s.row.Status == order.Confirmed:\n",
		"a CONFIRMED order is never undone"},
	{"the pivot passes a closing order", "internal/order/ordertest/memory.go", "\t\tcase o.Status != order.Pending || o.Closing:\n",
		"\t\tcase o.Status != order.Pending || o.Closing && !SEEDED:\n", "a CONFIRMED order is never undone"},
	{"recovery does not go forward when CONFIRMED", "saga/run.go", "\tfor _, s := range r.plan.Retriable {\n",
		"\tif SEEDED && verdict == Forward && r.cause != nil && r.cause.Kind == Interrupted {\n\t\treturn WentForward\n\t}\n" +
			"\tfor _, s := range r.plan.Retriable {\n",
		"the event says what the row says"},
	{"fast path without fallback",
		"saga/execute.go",
		"\t\t}\n\t\ts.run.fallBack()\n",
		"\t\t}\n\t\tif SEEDED {\n\t\t\treturn err\n\t\t}\n\t\ts.run.fallBack()\n",
		"an order is confirmed unless something prevents it"},
	{"a run after a lost one stores new prices", "internal/order/ordertest/memory.go",
		"\tcase !ok:\n\t\tm.insert(order.Order{\n\t\t\tID: o.ID,",
		"\tcase !ok || SEEDED:\n\t\tm.insert(order.Order{\n\t\t\tID: o.ID,", "every call about the payment has the same parameters"},
	{"undos in the order of the steps", "saga/plan.go", "\tslices.Reverse(c.groups)\n",
		"\tif !SEEDED {\n\t\tslices.Reverse(c.groups)\n\t}\n",
		"undos run last step first"},
	{"the end gets another cause once the undos are done", "internal/order/ordertest/memory.go", "\t\to.Status = o.Cause.Reason.FinalStatus()\n",
		"\t\tif SEEDED {\n\t\t\to.Cause = &order.Cause{Reason: order.Interrupted}\n\t\t}\n\t\to.Status = o.Cause.Reason.FinalStatus()\n",
		"clients learn what the row says"},
	{"a repeated end is recorded again", "internal/order/ordertest/memory.go", "\t\tif o.Status != order.Pending || !o.Closing {\n",
		"\t\tif o.Status != order.Pending && !SEEDED || !o.Closing {\n", "the timeline has only legal transitions"},
}

// seededBug is the environment variable that switches a defect on.
const seededBug = "SEEDED_BUG"

// switches are the sources that the patched packages need besides, by package.
var switches = map[string]string{
	"saga": `package saga

import (
	"os"
	"slices"
)

func seeded(bug string) bool { return os.Getenv("SEEDED_BUG") == bug }

// remembered returns the undos of the steps that this run remembers.
func (r *run) remembered(group []undoing) []undoing {
	return slices.DeleteFunc(group, func(u undoing) bool {
		return !slices.ContainsFunc(r.timeline, func(e Entry) bool { return e.Kind == EntryDone && slices.Contains(u.steps, e.Step) })
	})
}
`,
	"workflows": `package workflows

import "os"

func seeded(bug string) bool { return os.Getenv("SEEDED_BUG") == bug }
`,
	"internal/order/ordertest": `package ordertest

import (
	"crypto/rand"
	"os"
)

func seeded(bug string) bool { return os.Getenv("SEEDED_BUG") == bug }

func random() string { return rand.Text() }
`,
}

func TestEverySeededBugViolatesItsInvariant(t *testing.T) {
	t.Parallel()
	for _, inv := range invariants {
		if !slices.ContainsFunc(seeds, func(s seed) bool { return s.invariant == inv.name }) {
			t.Errorf("no seeded bug violates %q", inv.name)
		}
	}
	binary := buildSeeded(t)
	if out, err := runSeeded(t, binary, "", ""); err != nil {
		t.Fatalf("the matrix fails without a bug: %v\n%s", err, out)
	}
	atOnce := make(chan struct{}, 2)
	for _, s := range seeds {
		t.Run(s.bug, func(t *testing.T) {
			t.Parallel()
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			out, err := runSeeded(t, binary, s.bug, s.invariant)
			if err == nil {
				t.Fatal("the matrix passes")
			}
			caught := map[string]int{}
			for _, m := range broken.FindAllStringSubmatch(out, -1) {
				caught[m[1]]++
			}
			if caught[s.invariant] == 0 {
				t.Errorf("it does not violate %q, but %v\n%s", s.invariant, caught, out[:min(len(out), 2000)])
			}
		})
	}
}

var broken = regexp.MustCompile(`promise "([^"]+)"`)

// buildSeeded builds the tests of this package over the patched source.
func buildSeeded(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	patched := map[string]string{}
	for _, s := range seeds {
		source, ok := patched[s.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, s.file))
			if err != nil {
				t.Fatal(err)
			}
			source = string(b)
		}
		if n := strings.Count(source, s.old); n != 1 {
			t.Fatalf("%s: the code that the bug %q replaces is there %d times", s.file, s.bug, n)
		}
		patch := strings.ReplaceAll(s.new, "SEEDED", fmt.Sprintf("seeded(%q)", s.bug))
		patched[s.file] = strings.Replace(source, s.old, patch, 1)
	}
	for pkg, source := range switches {
		patched[pkg+"/seeded_bugs.go"] = source
	}
	for file, source := range patched {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(copied, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(root, file)] = copied
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "seeded.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// runSeeded runs the single disturbances with a bug switched on, until one violates the invariant.
func runSeeded(t *testing.T, binary, bug, invariant string) (string, error) {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary,
		"-test.run", "^TestEveryDisturbanceOfEveryStep$", "-test.timeout", time.Minute.String())
	run.Env = append(os.Environ(), seededBug+"="+bug, stopAt+"="+invariant)
	var out bytes.Buffer
	run.Stdout, run.Stderr = &out, &out
	err := run.Run()
	return out.String(), err
}
