package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/ordersaga/ordersaga/tools/costsheet"
	"github.com/ordersaga/ordersaga/tools/internal/load"
)

// measured is a mode with its segments, one for each round.
type measured struct {
	mode
	place    place
	segments []segment
}

// Result is what a benchmark found.
type Result struct {
	Measured    time.Time `json:"measured"`
	Concurrency int       `json:"concurrency"`
	Rounds      int       `json:"rounds"`
	SegmentS    float64   `json:"segment_s"`
	Machine     Machine   `json:"machine"`
	Modes       []Mode    `json:"modes"`
	Ratios      []Ratio   `json:"ratios"`
}

// Machine is what it was measured on.
type Machine struct {
	CPUs       int    `json:"cpus"`
	Model      string `json:"model"`
	LoadBefore string `json:"load_before"` // load average of the last minute, before the benchmark
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	Temporal   string `json:"temporal"`
	Fsync      bool   `json:"fsync"` // false: a crash of the machine would lose data
}

// Mode is what was measured of a mode, over all rounds.
type Mode struct {
	Name          string             `json:"name"`
	About         string             `json:"about"`
	Orders        int                `json:"orders"` // or empty workflows
	OrdersPerS    float64            `json:"orders_per_s"`
	P50Ms         float64            `json:"p50_ms"`
	P95Ms         float64            `json:"p95_ms"`
	P99Ms         float64            `json:"p99_ms"`
	HistoryEvents float64            `json:"history_events"`  // on average
	CPUSPerOrder  float64            `json:"cpu_s_per_order"` // of the whole stack and the clients
	CPUSByProgram map[string]float64 `json:"cpu_s_per_order_by_program"`
	RoundsPerS    []float64          `json:"rounds_orders_per_s"`
	RoundsP50Ms   []float64          `json:"rounds_p50_ms"`
	RoundsCPUS    []float64          `json:"rounds_cpu_s_per_order"`
}

// compare measures the modes in turns and writes what it found.
func (s *stack) compare(ctx context.Context, w io.Writer) error {
	r := Result{
		Measured: time.Now().UTC(), Concurrency: s.o.Concurrency, Rounds: s.o.Rounds, SegmentS: s.o.Segment.Seconds(),
	}
	var err error
	if r.Machine, err = s.machine(ctx); err != nil {
		return err
	}
	all, err := s.modes(ctx)
	if err != nil {
		return err
	}
	if err := s.measure(ctx, all); err != nil {
		return err
	}
	for _, m := range all {
		summary := summarize(m)
		var sample []string
		for _, seg := range m.segments {
			sample = append(sample, seg.sample...)
		}
		history, err := s.histories(ctx, sample)
		if err != nil {
			return err
		}
		summary.HistoryEvents = history[costsheet.HistoryEvents]
		r.Modes = append(r.Modes, summary)
	}
	r.Ratios = ratios(r.Modes, s.o.Concurrency)
	r.print(w)
	return writeJSON(s.o.JSON, r, s.say)
}

func writeJSON(file string, v any, say func(string, ...any)) error {
	if file == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	say("results in %s", file)
	return nil
}

// machine describes the machine. It asks PostgreSQL whether it writes through to the disk: the figures depend on it.
func (s *stack) machine(ctx context.Context) (Machine, error) {
	m := Machine{CPUs: runtime.NumCPU(), Model: "unknown", Go: runtime.Version()}
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpus)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			m.Model = strings.TrimSpace(value)
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	m.LoadBefore, _, _ = strings.Cut(string(load), " ")
	info, err := s.temporal.SDK.WorkflowService().GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{})
	if err != nil {
		return m, fmt.Errorf("ask Temporal for its version: %w", err)
	}
	m.Temporal = info.GetServerVersion()
	conn, err := pgx.Connect(ctx, s.c.DatabaseURL)
	if err != nil {
		return m, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const settings = `SELECT split_part(current_setting('server_version'), ' ', 1),
		current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'`
	return m, conn.QueryRow(ctx, settings).Scan(&m.PostgreSQL, &m.Fsync)
}

func summarize(m *measured) Mode {
	out := Mode{Name: m.name, About: m.about, CPUSByProgram: map[string]float64{}}
	var all load.Result
	for _, seg := range m.segments {
		all.Latencies = append(all.Latencies, seg.Latencies...)
		all.Took += seg.Took
		out.RoundsPerS = append(out.RoundsPerS, seg.PerSecond())
		out.RoundsP50Ms = append(out.RoundsP50Ms, seg.Milliseconds(50))
		cpu := 0.0
		for program, seconds := range seg.cpu {
			out.CPUSByProgram[program] += seconds
			cpu += seconds
		}
		out.RoundsCPUS = append(out.RoundsCPUS, cpu/float64(len(seg.Latencies)))
	}
	out.Orders = len(all.Latencies)
	for program := range out.CPUSByProgram {
		out.CPUSByProgram[program] /= float64(out.Orders)
		out.CPUSPerOrder += out.CPUSByProgram[program]
	}
	out.OrdersPerS = all.PerSecond()
	out.P50Ms, out.P95Ms, out.P99Ms = all.Milliseconds(50), all.Milliseconds(95), all.Milliseconds(99)
	return out
}

// Ratio compares modes within each round.
type Ratio struct {
	Name   string  `json:"name"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Target string  `json:"target,omitempty"`
	Met    *bool   `json:"met,omitempty"` // by the median
}

// comparison is a ratio that is worth a line: of a mode to another, or, when the mode has a floor, of what it takes above
// the floor.
type comparison struct {
	name               string
	over, floor, under string // modes
	of                 func(Mode) []float64
	least, most        float64 // the target; 0: none
	clients            int     // the target holds for this number of clients only; 0: for any
}

func perSecond(m Mode) []float64 { return m.RoundsPerS }
func p50(m Mode) []float64       { return m.RoundsP50Ms }
func cpu(m Mode) []float64       { return m.RoundsCPUS }

var comparisons = []comparison{
	{name: "tax: (one-process - plain) / empty, CPU", over: "one-process", floor: "plain", under: "empty", of: cpu, most: 0.95},
	{name: "tax: (apart - plain) / empty, CPU", over: "apart", floor: "plain", under: "empty", of: cpu},
	{name: "tax: (dbos - plain) / empty, CPU", over: "dbos", floor: "plain", under: "empty", of: cpu},
	{name: "one-process / empty, CPU", over: "one-process", under: "empty", of: cpu, most: 1.65},
	{name: "one-process / dbos, orders/s", over: "one-process", under: "dbos", of: perSecond, least: 0.62},
	{name: "one-process / regular, orders/s", over: "one-process", under: "regular", of: perSecond, least: 4.2},
	{name: "one-process / apart, orders/s", over: "one-process", under: "apart", of: perSecond},
	{name: "one-process / plain, p50", over: "one-process", under: "plain", of: p50, most: 2, clients: 1},
	{name: "declined / one-process, orders/s", over: "declined", under: "one-process", of: perSecond, least: 0.9},
}

// ratios returns the comparisons whose modes were all measured.
func ratios(modes []Mode, clients int) []Ratio {
	find := func(name string) *Mode {
		if i := slices.IndexFunc(modes, func(m Mode) bool { return m.Name == name }); i >= 0 {
			return &modes[i]
		}
		return nil
	}
	var out []Ratio
	for _, c := range comparisons {
		over, under, floor := find(c.over), find(c.under), find(c.floor)
		if over != nil && under != nil && (c.floor == "" || floor != nil) {
			out = append(out, c.compare(over, under, floor, clients))
		}
	}
	return out
}

func (c comparison) compare(over, under, floor *Mode, clients int) Ratio {
	var rounds []float64
	for i, v := range c.of(*over) {
		if floor != nil {
			v -= c.of(*floor)[i]
		}
		rounds = append(rounds, v/c.of(*under)[i])
	}
	slices.Sort(rounds)
	n := len(rounds)
	r := Ratio{Name: c.name, Median: (rounds[(n-1)/2] + rounds[n/2]) / 2, Min: rounds[0], Max: rounds[n-1]}
	met := r.Median >= c.least && (c.most == 0 || r.Median <= c.most)
	switch {
	case c.clients != 0 && c.clients != clients:
		return r
	case c.least > 0:
		r.Target, r.Met = fmt.Sprintf("≥ %g", c.least), &met
	case c.most > 0:
		r.Target, r.Met = fmt.Sprintf("≤ %g", c.most), &met
	}
	return r
}

func (r Result) print(w io.Writer) {
	durable := "with fsync"
	if !r.Machine.Fsync {
		durable = "WITHOUT fsync: a crash of the machine loses data"
	}
	fmt.Fprintf(w, "\n%d clients, %d rounds of %g s, orders of one product, on %d CPUs (%s; load before: %s)\n",
		r.Concurrency, r.Rounds, r.SegmentS, r.Machine.CPUs, r.Machine.Model, r.Machine.LoadBefore)
	fmt.Fprintf(w, "PostgreSQL %s %s, Temporal %s, %s\n\n", r.Machine.PostgreSQL, durable, r.Machine.Temporal, r.Machine.Go)

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "mode\torders/s\tp50 ms\tp95 ms\tp99 ms\tevents\tCPU ms/order\torders\t\n")
	for _, m := range r.Modes {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t\n", m.Name, m.OrdersPerS,
			m.P50Ms, m.P95Ms, m.P99Ms, m.HistoryEvents, 1000*m.CPUSPerOrder, m.Orders)
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, m := range r.Modes {
		fmt.Fprintf(w, "  %-12s %s\n", m.Name, m.About)
	}

	fmt.Fprintln(w, "\nRatios within a round: median (smallest to largest)")
	for _, q := range r.Ratios {
		fmt.Fprintf(w, "  %-40s %5.2f (%.2f to %.2f)", q.Name, q.Median, q.Min, q.Max)
		if q.Met != nil {
			fmt.Fprintf(w, "   target %s: %s", q.Target, map[bool]string{true: "met", false: "NOT met"}[*q.Met])
		}
		fmt.Fprintln(w)
	}
	used := table{title: "CPU milliseconds per order", format: "%.1f", least: 0.05}
	for _, m := range r.Modes {
		column := map[string]float64{}
		for program, seconds := range m.CPUSByProgram {
			column[program] = 1000 * seconds
		}
		used.add(m.Name, column)
	}
	used.print(w)
}
