package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/tools/costsheet"
	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// known returns a mode with a segment for each duration: latencies of 1, 2, … 100 ms, and the given CPU seconds.
func known(name string, cpuSeconds float64, took ...time.Duration) *measured {
	m := &measured{mode: mode{name: name, about: "known"}}
	for _, t := range took {
		seg := segment{Result: load.Result{Took: t}, cpu: map[string]float64{"worker": cpuSeconds}}
		for ms := 1; ms <= 100; ms++ {
			seg.Latencies = append(seg.Latencies, time.Duration(ms)*time.Millisecond)
		}
		m.segments = append(m.segments, seg)
	}
	return m
}

var approximately = cmpopts.EquateApprox(0.001, 0)

func TestAModeIsSummedUpOverItsRounds(t *testing.T) {
	t.Parallel()
	want := Mode{
		Name: "plain", About: "known", Orders: 200, OrdersPerS: 50, P50Ms: 50, P95Ms: 95, P99Ms: 99,
		CPUSPerOrder: 0.005, CPUSByProgram: map[string]float64{"worker": 0.005},
		RoundsPerS: []float64{100, 33.333}, RoundsP50Ms: []float64{50, 50}, RoundsCPUS: []float64{0.005, 0.005},
	}
	if diff := cmp.Diff(want, summarize(known("plain", 0.5, time.Second, 3*time.Second)), approximately); diff != "" {
		t.Errorf("mode (-want +got):\n%s", diff)
	}
}

func TestTheTaxIsWhatAModeTakesAbovePlainInEmptyWorkflows(t *testing.T) {
	t.Parallel()
	var all []Mode
	for name, cpuSeconds := range map[string]float64{"empty": 2, "plain": 2, "one-process": 5} {
		all = append(all, summarize(known(name, cpuSeconds, time.Second, time.Second)))
	}
	missed := false
	want := []Ratio{
		{Name: "tax: (one-process - plain) / empty, CPU", Median: 1.5, Min: 1.5, Max: 1.5, Target: "≤ 0.95", Met: &missed},
		{Name: "one-process / empty, CPU", Median: 2.5, Min: 2.5, Max: 2.5, Target: "≤ 1.65", Met: &missed},
		{Name: "one-process / plain, p50", Median: 1, Min: 1, Max: 1}, // the target holds for one client
	}
	if diff := cmp.Diff(want, ratios(all, 32), approximately); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
}

func TestTheJSONHasTheFieldsThatOthersRead(t *testing.T) {
	t.Parallel()
	m := summarize(known("empty", 0.5, time.Second))
	m.HistoryEvents = 5
	file := filepath.Join(t.TempDir(), "result.json")
	if err := writeJSON(file, Result{Modes: []Mode{m}}, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Modes []map[string]any `json:"modes"`
	}
	if err := json.Unmarshal(content, &got); err != nil || len(got.Modes) != 1 || got.Modes[0]["name"] != "empty" {
		t.Fatalf("got %v, %v; want the mode empty", got, err)
	}
	for _, field := range []string{"orders_per_s", "p50_ms", "p95_ms", "p99_ms", "history_events", "cpu_s_per_order"} {
		if v, ok := got.Modes[0][field].(float64); !ok || v <= 0 {
			t.Errorf("%s is %v, want a number above 0", field, got.Modes[0][field])
		}
	}
}

func TestEveryWrongArgumentIsNamed(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"--concurrency=0 --segment=1ms": {"--concurrency", "--segment"},
		"--only=empty,none":             {"--only", `"none"`},
		"more":                          {"more"},
		"--growth=0":                    {"--growth"},
		"--growth=20,10":                {"--growth"},
		"--growth=10,10":                {"--growth"},
		"--growth=10000001":             {"--growth"},
		"--growth=many":                 {"--growth"},
	} {
		_, _, err := parse(strings.Fields(args), io.Discard)
		for _, name := range want {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: got: %v; want an error that names %s", args, err, name)
			}
		}
	}
	o, _, err := parse([]string{"--growth=10,20", "--only=empty,plain"}, io.Discard)
	if err != nil || len(o.Growth) != 2 || len(o.Only) != 2 || o.Concurrency != 32 {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestCPUTimeCountsForTheProgramAboveAndForPostgreSQLByDatabase(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	process := func(pid, stat, cmdline string) {
		t.Helper()
		dir := filepath.Join(proc, pid)
		rest := strings.Repeat(" 0", 35)
		err := errors.Join(os.Mkdir(dir, 0o755),
			os.WriteFile(filepath.Join(dir, "stat"), []byte(stat+rest), 0o644),
			os.WriteFile(filepath.Join(dir, "cmdline"), []byte(cmdline), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	process("10", "10 (postgres) S 1 0 0 0 -1 0 0 0 0 0 100 50 0 0 20", "/usr/bin/postgres\x00-D\x00/data\x00")
	process("11", "11 (postgres) S 10 0 0 0 -1 0 0 0 0 0 7 3 0 0 20", "postgres: orders orders 127.0.0.1(4242) idle  \x00")
	process("12", "12 (a) b (c) S 10 0 0 0 -1 0 0 0 0 0 5 0 0 0 20", "postgres: checkpointer \x00")
	process("20", "20 (other) S 1 0 0 0 -1 0 0 0 0 0 900 0 0 0 20", "other\x00")
	got, err := readUsage(proc, map[int]string{10: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"postgres": 0.55, "postgres: orders": 0.1}
	before := usage{10: {program: "postgres", seconds: 1}}
	if diff := cmp.Diff(want, got.since(before), approximately); diff != "" {
		t.Errorf("CPU seconds (-want +got):\n%s", diff)
	}
}

func TestAWrongEndStopsTheBenchmark(t *testing.T) {
	t.Parallel()
	wrong := errors.New("order 1 is FAILED")
	run := func(context.Context) (string, error) { return "", wrong }
	if _, err := placing(t.Context(), run, 2, load.For(time.Minute)); !errors.Is(err, wrong) {
		t.Errorf("got %v, want %v", err, wrong)
	}
}

// Of the modes, the empty workflow needs nothing but Temporal. It is measured through the proxy that counts calls.
func TestAnEmptyWorkflowIsMeasuredAndItsCallsAreCounted(t *testing.T) {
	t.Parallel()
	address, _ := servicestest.Temporal(t)
	s := &stack{}
	s.atClose(s.meter.Close)
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	proxy, err := s.meter.Temporal(address)
	if err != nil {
		t.Fatal(err)
	}
	if s.temporal, err = temporalclient.Open(temporalclient.Config{Address: proxy}, discard); err != nil {
		t.Fatal(err)
	}
	s.atClose(func() error { s.temporal.Close(); return nil })
	run, err := startEmpty(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	const workflows = 3
	seg, err := placing(t.Context(), run, 2, load.Times(workflows))
	if err != nil {
		t.Fatal(err)
	}
	history, err := s.histories(t.Context(), seg.sample)
	done := len(seg.Latencies)
	if err != nil || history[costsheet.HistoryEvents] != 5 || history[costsheet.HistoryBytes] == 0 || done != workflows {
		t.Errorf("%d done, history %v, %v; want %d, 5 events, some bytes", done, history, err, workflows)
	}
	if got := s.meter.Read()[costsheet.TemporalCalls+": StartWorkflowExecution"]; got != workflows {
		t.Errorf("counted %g starts, want %d", got, workflows)
	}
}
