package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is for terminals of 100 columns.
const width = 100

// report is what the reader sees. It counts what is not as promised.
type report struct {
	w      io.Writer
	colour bool
	broken []string // one line for each
	scene  string   // what the broken things are of
}

// Colours, as terminals name them.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	blue  = "34"
)

func (r *report) paint(colour, s string) string {
	if !r.colour {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// title begins a part.
func (r *report) title(text string) {
	r.scene = text
	rule := strings.Repeat("─", max(0, width-utf8.RuneCountInString(text)-1))
	fmt.Fprintf(r.w, "\n%s %s\n", r.paint(bold, text), r.paint(dim, rule))
}

func (r *report) line(format string, args ...any) {
	fmt.Fprintln(r.w, strings.TrimRight("  "+fmt.Sprintf(format, args...), " "))
}

func (r *report) link(url string) { fmt.Fprintf(r.w, "  → %s\n", r.paint(blue, url)) }

// fact shows something of the system and whether it is as promised; promised says what was, for when it is not.
func (r *report) fact(ok bool, name, is, promised string) {
	mark := r.paint(green, "✓")
	if !ok {
		mark = r.paint(red, "✗")
		is += r.paint(red, "  promised: "+promised)
		r.broken = append(r.broken, fmt.Sprintf("%s: %s is not %s", r.scene, name, promised))
	}
	fmt.Fprintf(r.w, "  %s %-8s %s\n", mark, name, is)
}

// json shows a JSON document, indented to stand below a fact.
func (r *report) json(document []byte) {
	const indent = 13
	for _, l := range pretty(document, width-indent) {
		fmt.Fprintf(r.w, "%s%s\n", strings.Repeat(" ", indent), r.paint(dim, l))
	}
}

// err is nil when everything was as promised.
func (r *report) err() error {
	if len(r.broken) == 0 {
		return nil
	}
	return fmt.Errorf("not as promised:\n  %s", strings.Join(r.broken, "\n  "))
}
