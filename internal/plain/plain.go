// Package plain says which text and times the system accepts from outside, and how it shows text from outside to people.
//
// Text must not change what is around it when a log, a table, a mail or a terminal shows it: no control characters (with
// line breaks and escape codes among them), and none that reverse the direction of what follows. Every API and every
// command checks its input with Line, Text and Time. Output for people passes Show, because not all text came through them:
// errors of other systems, for example.
package plain

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// forbidden reports whether a rune changes how the text around it is shown.
func forbidden(r rune) bool {
	return unicode.IsControl(r) ||
		r == '\u2028' || r == '\u2029' || // separators of lines and paragraphs
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' // overrides and isolates of the direction
}

// visible reports whether a rune leaves a mark on the page.
func visible(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) }

var (
	errUTF8  = errors.New("is not valid UTF-8")
	errBlank = errors.New("must not be blank")
	errTime  = errors.New("must be a time in the format of RFC 3339, for example 2026-11-29T12:00:00Z")
	errRange = fmt.Errorf("must be a time in the years %d to %d", firstYear, lastYear)
)

// Line returns an error unless s is one line of text, for example a name or a reason. It must not be blank.
func Line(s string) error {
	if err := check(s, ""); err != nil {
		return err
	}
	if !strings.ContainsFunc(s, visible) {
		return errBlank
	}
	return nil
}

// Text returns an error unless s is text of any number of lines, for example a description. Lines end with \n.
func Text(s string) error { return check(s, "\n\t") }

func check(s, allowed string) error {
	if !utf8.ValidString(s) {
		return errUTF8
	}
	for _, r := range s {
		if forbidden(r) && !strings.ContainsRune(allowed, r) {
			return fmt.Errorf("must not have the control character %U", r)
		}
	}
	return nil
}

// Times are in these years (UTC). Encoders of JSON fail after year 9999, and Go's zero time means that there is none.
const (
	firstYear = 1970
	lastYear  = 9999
)

// rfc3339 is the format of a time. time.Parse also accepts T0:00:00Z and a comma before a fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// Time returns an error unless s is a time in the format of RFC 3339, with a capital T and Z, that also has a year of four
// digits in UTC.
func Time(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	switch {
	case err != nil || !rfc3339.MatchString(s):
		return errTime
	case t.UTC().Year() < firstYear || t.UTC().Year() > lastYear:
		return errRange
	}
	return nil
}

// Show returns s on one line, as people may see it: with what a Line must not have as Go escapes.
func Show(s string) string {
	if check(s, "") == nil {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case forbidden(r):
			b.WriteString(strings.Trim(fmt.Sprintf("%+q", string(r)), `"`))
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return b.String()
}
