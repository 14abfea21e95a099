package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// table has a row for everything that one of its columns holds.
type table struct {
	title   string
	format  string  // of a number
	least   float64 // a row without a number of at least this is left out
	names   []string
	columns []map[string]float64
}

func (t *table) add(name string, column map[string]float64) {
	t.names, t.columns = append(t.names, name), append(t.columns, column)
}

func (t *table) print(w io.Writer) {
	shown := map[string]bool{}
	for _, column := range t.columns {
		for row, n := range column {
			shown[row] = shown[row] || n >= t.least
		}
	}
	maps.DeleteFunc(shown, func(_ string, ok bool) bool { return !ok })
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "\n%s\t", t.title)
	for _, name := range t.names {
		fmt.Fprintf(out, "%s\t", name)
	}
	fmt.Fprintln(out)
	for _, row := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(out, "%s\t", row)
		for _, column := range t.columns {
			fmt.Fprintf(out, t.format+"\t", column[row])
		}
		fmt.Fprintln(out)
	}
	out.Flush()
}
