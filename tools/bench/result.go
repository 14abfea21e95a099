package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what a benchmark found. Its JSON is a public format: fields are only ever added.
type Result struct {
	Measured time.Time `json:"measured"`
	Seconds  float64   `json:"seconds"` // the benchmark took
	Machine  Machine   `json:"machine"`
	Settings Settings  `json:"settings"`
	Modes    []Mode    `json:"modes"`
	Ratios   []Ratio   `json:"ratios"`
}

// Machine is what it was measured on.
type Machine struct {
	CPUs       int     `json:"cpus"`
	Model      string  `json:"model,omitempty"`
	LoadBefore float64 `json:"load_before"` // the machine's load average over a minute, before anything was measured
	Go         string  `json:"go"`
	PostgreSQL string  `json:"postgresql"`
	Temporal   string  `json:"temporal"`
	Fsync      bool    `json:"fsync"` // false: a crash of the machine would lose data
}

// Settings are those of the command line.
type Settings struct {
	Concurrency   int     `json:"concurrency"`
	Rounds        int     `json:"rounds"`
	SegmentS      float64 `json:"segment_s"`
	LinesPerOrder int     `json:"lines_per_order"`
	Products      int     `json:"products"`
}

// Mode is what was measured of a mode, over all rounds.
type Mode struct {
	Name            string             `json:"name"`
	About           string             `json:"about"`
	FailingPercent  int                `json:"failing_percent"`
	Orders          int                `json:"orders"` // or empty workflows
	OrdersPerS      float64            `json:"orders_per_s"`
	P50Ms           float64            `json:"p50_ms"`
	P95Ms           float64            `json:"p95_ms"`
	P99Ms           float64            `json:"p99_ms"`
	HistoryEvents   float64            `json:"history_events"` // of an undisturbed order, on average
	WorkflowTasks   float64            `json:"workflow_tasks"`
	CPUSPerOrder    float64            `json:"cpu_s_per_order"` // of the whole stack and the client
	CPUSByProgram   map[string]float64 `json:"cpu_s_per_order_by_program"`
	RoundsPerS      []float64          `json:"rounds_orders_per_s"`
	RoundsP50Ms     []float64          `json:"rounds_p50_ms"`
	DurationSeconds float64            `json:"seconds"`
}

// add adds modes, and the ratios that they make possible.
func (r *Result) add(all []*measured) {
	for _, m := range all {
		r.Modes = append(r.Modes, summarize(m))
	}
	r.Ratios = ratios(r.Modes)
}

func summarize(m *measured) Mode {
	out := Mode{
		Name: m.name, About: m.about, FailingPercent: m.failing, HistoryEvents: m.events, WorkflowTasks: m.tasks,
		CPUSByProgram: map[string]float64{},
	}
	all := newHistogram()
	for _, seg := range m.segments {
		out.Orders += seg.done
		out.DurationSeconds += seg.took.Seconds()
		out.RoundsPerS = append(out.RoundsPerS, seg.perSecond())
		out.RoundsP50Ms = append(out.RoundsP50Ms, milliseconds(seg.latencies, 50))
		all.Merge(seg.latencies)
		for program, seconds := range seg.cpu {
			out.CPUSByProgram[program] += seconds
		}
	}
	for program := range out.CPUSByProgram {
		out.CPUSByProgram[program] /= float64(out.Orders)
		out.CPUSPerOrder += out.CPUSByProgram[program]
	}
	out.OrdersPerS = float64(out.Orders) / out.DurationSeconds
	out.P50Ms, out.P95Ms, out.P99Ms = milliseconds(all, 50), milliseconds(all, 95), milliseconds(all, 99)
	return out
}

// milliseconds returns a percentile of a histogram of microseconds.
func milliseconds(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

// Ratio compares two modes within each round.
type Ratio struct {
	Name   string  `json:"name"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Target string  `json:"target,omitempty"`
	Met    *bool   `json:"met,omitempty"` // by the median
}

// comparison is a ratio that is worth a line.
type comparison struct {
	name         string
	over, under  string // modes
	of           func(Mode) []float64
	target       float64 // 0: there is none
	smallerFails bool    // else larger
}

func perSecond(m Mode) []float64 { return m.RoundsPerS }
func p50(m Mode) []float64       { return m.RoundsP50Ms }

var comparisons = []comparison{
	{"orders/s: fast to empty", "fast", "empty", perSecond, 0.8, true},
	{"orders/s: fast to regular", "fast", "regular", perSecond, 4, true},
	{"p50: fast to regular", "fast", "regular", p50, 0.25, false},
	{"orders/s: http to fast", "http", "fast", perSecond, 0, false},
	{"orders/s: fast-5% to fast", "fast-5%", "fast", perSecond, 0, false},
	{"orders/s: fast-20% to fast", "fast-20%", "fast", perSecond, 0, false},
	{"orders/s: saga-update to saga-wait", "saga-update", "saga-wait", perSecond, 0, false},
	{"orders/s: saga-eager to saga-wait", "saga-eager", "saga-wait", perSecond, 0, false},
	{"orders/s: saga-wait to empty-wait", "saga-wait", "empty-wait", perSecond, 0, false},
	{"orders/s: saga-update to empty-wait", "saga-update", "empty-wait", perSecond, 0, false},
}

// ratios returns the comparisons of which both modes were measured.
func ratios(modes []Mode) []Ratio {
	var out []Ratio
	for _, c := range comparisons {
		over := slices.IndexFunc(modes, func(m Mode) bool { return m.Name == c.over })
		under := slices.IndexFunc(modes, func(m Mode) bool { return m.Name == c.under })
		if over >= 0 && under >= 0 {
			out = append(out, c.compare(c.of(modes[over]), c.of(modes[under])))
		}
	}
	return out
}

func (c comparison) compare(over, under []float64) Ratio {
	var rounds []float64
	for i := range over {
		rounds = append(rounds, over[i]/under[i])
	}
	r := Ratio{Name: c.name, Median: median(rounds), Min: slices.Min(rounds), Max: slices.Max(rounds)}
	if c.target == 0 {
		return r
	}
	met := r.Median <= c.target
	r.Target = fmt.Sprintf("≤ %g", c.target)
	if c.smallerFails {
		met, r.Target = r.Median >= c.target, fmt.Sprintf("≥ %g", c.target)
	}
	r.Met = &met
	return r
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// write writes the results as JSON and as a plot, if that is wanted.
func (r Result) write(o options, say func(string, ...any)) error {
	if o.json == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.json, append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	plot, err := r.plot()
	if err != nil {
		return fmt.Errorf("draw the plot: %w", err)
	}
	if err := os.WriteFile(o.plot(), plot, 0o644); err != nil {
		return fmt.Errorf("write the plot: %w", err)
	}
	say("results in %s, plot in %s", o.json, o.plot())
	return nil
}
