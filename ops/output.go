package ops

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ordersaga/ordersaga/internal/plain"
)

// output writes what a command has to say: as text for people, or as JSON lines.
type output struct {
	out      io.Writer
	progress io.Writer
	json     bool
	err      error // the first error of out
}

// line writes v as a line of JSON, or the text.
func (o *output) line(v any, format string, args ...any) {
	if o.json {
		o.encode(v)
		return
	}
	o.text(format, args...)
}

// summary writes the last line of a command that counts.
func (o *output) summary(v any, format string, args ...any) {
	o.line(map[string]any{"summary": v}, format, args...)
}

// text writes a line for people.
func (o *output) text(format string, args ...any) {
	if o.json {
		return
	}
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = shown(a)
	}
	_, err := fmt.Fprintf(o.out, format+"\n", safe...)
	o.keep(err)
}

// shown is an argument of a text for people: what others have written cannot forge a line or command the terminal. A []byte is
// text of several lines.
func shown(arg any) any {
	switch v := arg.(type) {
	case string:
		return plain.Show(v)
	case error:
		return plain.Show(v.Error())
	case []byte:
		lines := strings.Split(string(v), "\n")
		for i, l := range lines {
			lines[i] = plain.Show(l)
		}
		return strings.Join(lines, "\n")
	}
	return arg
}

func (o *output) encode(v any) { o.keep(json.NewEncoder(o.out).Encode(v)) }

func (o *output) keep(err error) {
	if o.err == nil && err != nil {
		o.err = fmt.Errorf("write the output: %w", err)
	}
}

// table is rows in aligned columns, or as JSON lines.
type table struct {
	o      *output
	w      *tabwriter.Writer
	header []string
}

func (o *output) table(header ...string) *table {
	return &table{o: o, w: tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0), header: header}
}

// row writes v as a line of JSON, or the cells below the header.
func (t *table) row(v any, cells ...any) {
	if t.o.json {
		t.o.encode(v)
		return
	}
	if t.header != nil {
		fmt.Fprintln(t.w, strings.Join(t.header, "\t"))
		t.header = nil
	}
	for i, cell := range cells {
		cells[i] = plain.Show(fmt.Sprint(cell))
		if cells[i] == "" {
			cells[i] = "–"
		}
	}
	fmt.Fprintf(t.w, strings.Repeat("%s\t", len(cells)-1)+"%s\n", cells...)
}

// end writes the rows, or the text when there are none.
func (t *table) end(none string) {
	if t.header != nil {
		t.o.text("%s", none)
	}
	t.o.keep(t.w.Flush())
}

// progressInterval is how often long work says how far it is.
const progressInterval = 5 * time.Second

// counting returns a function that counts, and from time to time says on stderr how far it is: "2000 payments read".
func (o *output) counting(what string) func(n int) {
	total, last := 0, time.Now()
	return func(n int) {
		total += n
		if now := time.Now(); now.Sub(last) >= progressInterval {
			last = now
			fmt.Fprintf(o.progress, "%d %s\n", total, what)
		}
	}
}

// stamp writes a time for people; it is empty when the time is not known.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
