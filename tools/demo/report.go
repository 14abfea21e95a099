package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// width is for terminals of 100 columns.
const width = 100

// report is what the reader sees. It collects broken promises.
type report struct {
	w      io.Writer
	color  bool
	broken []string // one line for each
	scene  string   // the current one
}

// Colors, by their terminal codes.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	blue  = "34"
)

func (r *report) paint(color, s string) string {
	if !r.color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
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

// fact shows something that was read from the system, and whether it is as promised.
func (r *report) fact(ok bool, name, is, promised string) {
	mark := r.paint(green, "✓")
	if !ok {
		mark = r.paint(red, "✗")
		is += r.paint(red, "  promised: "+promised)
		r.broken = append(r.broken, fmt.Sprintf("%s: %s is not %s", r.scene, name, promised))
	}
	fmt.Fprintf(r.w, "  %s %-8s %s\n", mark, name, is)
}

// err is nil when every promise was kept.
func (r *report) err() error {
	if len(r.broken) == 0 {
		return nil
	}
	return fmt.Errorf("broken promises:\n  %s", strings.Join(r.broken, "\n  "))
}
