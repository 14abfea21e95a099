package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// print writes the results as tables.
func (r Result) print(w io.Writer) {
	durable := "with fsync"
	if !r.Machine.Fsync {
		durable = "WITHOUT fsync: nothing here survives a crash of the machine"
	}
	fmt.Fprintf(w, "\n%d clients, %d rounds of %g s, %d line(s) an order, on %d CPUs (%s; load before: %.1f)\n",
		r.Settings.Concurrency, r.Settings.Rounds, r.Settings.SegmentS, r.Settings.LinesPerOrder,
		r.Machine.CPUs, r.Machine.Model, r.Machine.LoadBefore)
	fmt.Fprintf(w, "PostgreSQL %s %s, Temporal %s, %s\n\n", r.Machine.PostgreSQL, durable, r.Machine.Temporal, r.Machine.Go)
	r.printModes(w)
	r.printRatios(w)
	r.printCPU(w)
}

func (r Result) printModes(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "mode\torders/s\tp50 ms\tp95 ms\tp99 ms\tevents\ttasks\tCPU ms/order\torders\t\n")
	for _, m := range r.Modes {
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t\n", m.Name, m.OrdersPerS,
			m.P50Ms, m.P95Ms, m.P99Ms, m.HistoryEvents, m.WorkflowTasks, 1000*m.CPUSPerOrder, m.Orders)
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, m := range r.Modes {
		fmt.Fprintf(w, "  %-12s %s\n", m.Name, m.About)
	}
}

func (r Result) printRatios(w io.Writer) {
	fmt.Fprintln(w, "\nRatios within a round: median (smallest to largest)")
	for _, q := range r.Ratios {
		fmt.Fprintf(w, "  %-38s %5.2f (%.2f to %.2f)", q.Name, q.Median, q.Min, q.Max)
		if q.Met != nil {
			fmt.Fprintf(w, "   target %s: %s", q.Target, map[bool]string{true: "met", false: "NOT met"}[*q.Met])
		}
		fmt.Fprintln(w)
	}
}

// leastShown is the CPU time per order, in seconds, below which a program has no line.
const leastShown = 0.00005

func (r Result) printCPU(w io.Writer) {
	fmt.Fprintln(w, "\nCPU milliseconds per order, by program")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\t")
	shown := map[string]bool{}
	for _, m := range r.Modes {
		fmt.Fprintf(t, "%s\t", m.Name)
		for program, seconds := range m.CPUSByProgram {
			if seconds >= leastShown {
				shown[program] = true
			}
		}
	}
	fmt.Fprintln(t)
	for _, program := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(t, "%s\t", program)
		for _, m := range r.Modes {
			fmt.Fprintf(t, "%.1f\t", 1000*m.CPUSByProgram[program])
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}
