package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// known returns a mode of which each segment has latencies of 1, 2, … 100 ms, and 0.5 s of CPU time in the worker.
func known(name string, took ...time.Duration) *measured {
	m := &measured{mode: mode{name: name, about: "known"}, events: 14, tasks: 1}
	for _, t := range took {
		seg := segment{took: t, latencies: newHistogram(), cpu: map[string]float64{"worker": 0.5}}
		for ms := 1; ms <= 100; ms++ {
			seg.add(time.Duration(ms)*time.Millisecond, "id", false)
		}
		m.segments = append(m.segments, seg)
	}
	return m
}

// alike forgives what a histogram rounds.
var alike = cmpopts.EquateApprox(0.001, 0)

func TestAModeIsSummedUpOverItsRounds(t *testing.T) {
	t.Parallel()
	want := Mode{
		Name: "fast", About: "known", Orders: 200, OrdersPerS: 50, P50Ms: 50, P95Ms: 95, P99Ms: 99,
		HistoryEvents: 14, WorkflowTasks: 1, CPUSPerOrder: 0.005, CPUSByProgram: map[string]float64{"worker": 0.005},
		RoundsPerS: []float64{100, 33.333}, RoundsP50Ms: []float64{50, 50}, DurationSeconds: 4,
	}
	if diff := cmp.Diff(want, summarize(known("fast", time.Second, 3*time.Second)), alike); diff != "" {
		t.Errorf("mode (-want +got):\n%s", diff)
	}
}

func TestRatiosAreTakenWithinARoundAndHeldAgainstTheirTarget(t *testing.T) {
	t.Parallel()
	var r Result
	r.add([]*measured{known("empty", time.Second, time.Second, time.Second), known("fast", time.Second, 2*time.Second, 4*time.Second)})
	met := false
	want := []Ratio{{Name: "orders/s: fast to empty", Median: 0.5, Min: 0.25, Max: 1, Target: "≥ 0.8", Met: &met}}
	if diff := cmp.Diff(want, r.Ratios, alike); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
}

func TestTheJSONHasTheFieldsThatOthersRead(t *testing.T) {
	t.Parallel()
	o := options{json: filepath.Join(t.TempDir(), "result.json")}
	var r Result
	r.add([]*measured{known("empty", time.Second), known("fast", time.Second), known("regular", 4*time.Second)})
	if err := r.write(o, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(o.json)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Modes []map[string]any `json:"modes"`
	}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	var names []any
	for _, m := range got.Modes {
		names = append(names, m["name"])
		for _, field := range []string{"orders_per_s", "p50_ms", "p95_ms", "p99_ms", "history_events", "cpu_s_per_order"} {
			if v, ok := m[field].(float64); !ok || v <= 0 {
				t.Errorf("%s of mode %s is %v, want a number above 0", field, m["name"], m[field])
			}
		}
	}
	if diff := cmp.Diff([]any{"empty", "fast", "regular"}, names); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	plot, err := os.ReadFile(filepath.Join(filepath.Dir(o.json), "result.svg"))
	if err != nil || !strings.HasPrefix(string(plot), "<svg") || !strings.Contains(string(plot), "regular") {
		t.Errorf("the plot is no SVG with the modes: %v %.80s", err, plot)
	}
}

func TestThePercentageOfFailingOrdersIsExactInEachHundred(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{0, 5, 20, 100} {
		failed := 0
		for turn := range 100 {
			if fails(turn, percent) {
				failed++
			}
		}
		if failed != percent {
			t.Errorf("%d of 100 fail, want %d", failed, percent)
		}
	}
}

func TestEveryWrongArgumentIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parse([]string{"-concurrency=0", "-segment=1ms", "-lines=9", "-products=3", "more"}, io.Discard)
	for _, want := range []string{"-concurrency", "-segment", "-lines", `"more"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that names %s, got: %v", want, err)
		}
	}
}

func TestProfilesThatNoProgramOffersAreRefusedBeforeAnythingIsMeasured(t *testing.T) {
	t.Parallel()
	offered := config{WorkerPprof: "127.0.0.1:6060", APIPprof: "127.0.0.1:6061"}
	if err := (options{profile: "dir"}).canProfile(offered); err != nil {
		t.Errorf("both offered: %v", err)
	}
	if err := (options{}).canProfile(config{}); err != nil {
		t.Errorf("none wanted: %v", err)
	}
	err := (options{profile: "dir"}).canProfile(config{WorkerPprof: "127.0.0.1:6060"})
	if err == nil || !strings.Contains(err.Error(), "DEVSTACK_API_PPROF_ADDR") {
		t.Errorf("want an error that names the variable, got: %v", err)
	}
}

func TestCPUTimeCountsForTheProgramAboveAndForPostgreSQLByDatabase(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	process := func(pid, stat, cmdline string) {
		t.Helper()
		dir := filepath.Join(proc, pid)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"stat": stat, "cmdline": cmdline} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	process("10", "10 (postgres) S 1 0 0 0 -1 0 0 0 0 0 100 50 0 0 20", "/usr/bin/postgres\x00-D\x00/data")
	process("11", "11 (postgres) S 10 0 0 0 -1 0 0 0 0 0 7 3 0 0 20", "postgres: orders orders 127.0.0.1(4242) idle  \x00")
	process("12", "12 (a) b (c) S 10 0 0 0 -1 0 0 0 0 0 5 0 0 0 20", "postgres: checkpointer \x00")
	process("20", "20 (other) S 1 0 0 0 -1 0 0 0 0 0 900 0 0 0 20", "other\x00")

	got, err := readUsage(proc, map[int]string{10: "postgres"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"postgres": 0.55, "postgres: orders": 0.1}
	before := usage{10: {"postgres", 100}}
	if diff := cmp.Diff(want, got.since(before), alike); diff != "" {
		t.Errorf("CPU seconds (-want +got):\n%s", diff)
	}
}

// The modes that need nothing but Temporal are measured for a moment, the programs left out.
func TestItMeasuresOnARealServer(t *testing.T) {
	t.Parallel()
	address, queue := servicestest.Temporal(t)
	client, err := temporalclient.Open(temporalclient.Config{Address: address}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := localWorker(client, queue)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	s := &stack{o: options{lines: 1}, temporal: client, products: []string{"a", "b"}}

	for _, m := range []struct {
		mode
		events float64
	}{
		{mode{name: "empty", run: s.empty(queue, false)}, 5},
		{mode{name: "update", run: s.orders(s.byUpdate(queue))}, 14},
		{mode{name: "eager", run: s.orders(s.byWaiting(queue, true))}, 12},
	} {
		seg, err := load(t.Context(), m.mode, 2, 200*time.Millisecond)
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		all := &measured{mode: m.mode, segments: []segment{seg}}
		if err := s.lookAt(t.Context(), all); err != nil {
			t.Fatal(err)
		}
		if seg.done < 2 || all.events != m.events || all.tasks != 1 {
			t.Errorf("%s: %d done, %g events, %g workflow tasks; want at least 2 done, %g events, 1 task",
				m.name, seg.done, all.events, all.tasks, m.events)
		}
	}
}

func declineAll(_ context.Context, req order.Request) (order.Order, error) {
	return order.Order{ID: req.ID, Status: order.Failed}, nil
}

func TestAnOrderThatEndsOtherwiseStopsTheBenchmark(t *testing.T) {
	t.Parallel()
	s := &stack{o: options{lines: 1}, products: []string{"a"}}
	m := mode{name: "wrong", run: s.orders(declineAll)}
	if _, err := load(t.Context(), m, 2, time.Minute); err == nil || !strings.Contains(err.Error(), "want CONFIRMED") {
		t.Errorf("got %v, want an error that says which end was expected", err)
	}
}

func TestSizesOfGrowthAscend(t *testing.T) {
	t.Parallel()
	if got, err := parseSizes("10,200"); err != nil || !cmp.Equal(got, []int{10, 200}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, wrong := range []string{"0", "10,", "20,10", "10,10", "many", "10000001"} {
		if got, err := parseSizes(wrong); err == nil {
			t.Errorf("%q: got %v, want an error", wrong, got)
		}
	}
}

func TestMemoryIsReadInMiB(t *testing.T) {
	t.Parallel()
	got := parseMemory("Name:\tapi\nVmHWM:\t   40960 kB\nVmRSS:\t   20480 kB\nThreads:\t9\n")
	if diff := cmp.Diff(map[string]float64{"VmHWM": 40, "VmRSS": 20}, got); diff != "" {
		t.Errorf("memory (-want +got):\n%s", diff)
	}
}
