package sagatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// GoldenPlan compares the plan with its description in a file, so that a review sees that a plan changed, and that workflows
// which run under the old one need a thought. Set SAGATEST_UPDATE to any value to write the file.
func GoldenPlan(t testing.TB, file string, p saga.Plan) {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	got := Describe(p)
	if os.Getenv("SAGATEST_UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v\nset SAGATEST_UPDATE=1 to write the file", err)
	}
	if got != string(want) {
		t.Errorf("the plan is no longer that of %s: version the workflow, and set SAGATEST_UPDATE=1 to write the file.\n"+
			"got:\n%s\nwant:\n%s", file, got, want)
	}
}

// Describe describes a plan, one line for each part, in the order in which they run forward.
func Describe(p saga.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "saga %s\n", p.Name)
	for _, s := range p.Steps {
		describe(&b, "step", s, 1)
	}
	if p.Pivot.Do != nil {
		describe(&b, "pivot", p.Pivot, 1)
	}
	if p.Fence != nil {
		b.WriteString("  fence\n")
	} else {
		b.WriteString("  fence: the history\n")
	}
	if p.Finish.Do != nil {
		describe(&b, "finish", p.Finish, 1)
	}
	for _, s := range p.Retriable {
		describe(&b, "retriable", s, 1)
	}
	for _, u := range p.Retired {
		fmt.Fprintf(&b, "  retired undo %s\n", u.Name)
	}
	return b.String()
}

func describe(b *strings.Builder, kind string, s saga.Step, depth int) {
	indent := strings.Repeat("  ", depth)
	fmt.Fprintf(b, "%s%s %s%s", indent, kind, s.Name,
		tuning(s.Options, s.Timeout.String(), s.LocalTimeout.String(), s.Patience.String(), s.NoFastPath))
	if s.WhenFailed == saga.AskForHelp {
		b.WriteString(", asks for help")
	}
	if s.Optional {
		b.WriteString(", optional")
	}
	if s.UndoTogether {
		b.WriteString(", undone together")
	}
	if u := s.Undo; u != nil {
		fmt.Fprintf(b, "; undo %s%s", u.Name,
			tuning(u.Options, u.Timeout.String(), u.LocalTimeout.String(), u.Patience.String(), u.NoFastPath))
	}
	b.WriteString("\n")
	for _, inner := range s.Together {
		describe(b, "together", inner, depth+1)
	}
	for _, inner := range s.Sequence {
		describe(b, "then", inner, depth+1)
	}
}

// tuning describes how the activities of a step or an undo run, where that is not the default.
func tuning(o workflow.ActivityOptions, timeout, local, patience string, noFastPath bool) string {
	var out strings.Builder
	say := func(what, value, none string) {
		if value != none {
			fmt.Fprintf(&out, ", %s %s", what, value)
		}
	}
	say("timeout", timeout, "0s")
	say("local timeout", local, "0s")
	say("patience", patience, "0s")
	say("queue", o.TaskQueue, "")
	say("schedule to close", o.ScheduleToCloseTimeout.String(), "0s")
	say("start to close", o.StartToCloseTimeout.String(), "0s")
	say("heartbeat", o.HeartbeatTimeout.String(), "0s")
	if r := o.RetryPolicy; r != nil {
		say("retry", fmt.Sprintf("%+v", *r), "")
	}
	if noFastPath {
		out.WriteString(", no fast path")
	}
	return out.String()
}
