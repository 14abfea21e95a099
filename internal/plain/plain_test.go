package plain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/plain"
)

func TestTextThatChangesWhatIsAroundItIsRefused(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]struct{ line, text bool }{
		"Espresso cup":                {true, true},
		"Löffel, 大匙, ملعقة":           {true, true},
		"👩\u200d🍳 ☕\ufe0f":            {true, true},
		"שלום\u200e 5":                {true, true}, // a mark that only places the number
		"":                            {false, true},
		"  ":                          {false, true},
		"\u00a0\u2003":                {false, true},
		"\u200b\ufeff":                {false, true}, // nothing to see
		"two\nlines\tand a tab":       {false, true},
		"a\r\nb":                      {false, false},
		"a\x00b":                      {false, false},
		"\x1b[2Jgone":                 {false, false},
		"\u009b2Jgone":                {false, false}, // the same in one character
		"a\u2028b":                    {false, false},
		"a\u202ebackward":             {false, false},
		"a\u2067backward":             {false, false},
		"a\x7f":                       {false, false},
		"not UTF-8: \xff":             {false, false},
		strings.Repeat("a", 1<<16):    {true, true},
		"a long one" + "\u0085" + "b": {false, false},
	} {
		if err := plain.Line(s); (err == nil) != want.line {
			t.Errorf("Line(%.40q): %v, want accepted: %t", s, err, want.line)
		}
		if err := plain.Text(s); (err == nil) != want.text {
			t.Errorf("Text(%.40q): %v, want accepted: %t", s, err, want.text)
		}
	}
}

func TestWhatIsShownIsOneLineOfText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"Löffel ☕\ufe0f":       "Löffel ☕\ufe0f",
		`a \n b`:               `a \n b`,
		"a\r\nTotal: 0.00 USD": `a\r\nTotal: 0.00 USD`,
		"\x1b[31mred\x00":      `\x1b[31mred\x00`,
		"\u202eback\u2028":     `\u202eback\u2028`,
		"\u009b":               `\u009b`,
		"\xffa":                `\xffa`,
		"\ufffd\n":             "\ufffd" + `\n`,
		"\t":                   `\t`,
	} {
		if got := plain.Show(s); got != want {
			t.Errorf("Show(%q): got %q, want %q", s, got, want)
		}
	}
}

func FuzzShow(f *testing.F) {
	f.Add("a\r\n\x1b\xff\u202e\u0085")
	f.Fuzz(func(t *testing.T, s string) {
		shown := plain.Show(s)
		if err := plain.Text(shown); err != nil || strings.ContainsAny(shown, "\n\t") {
			t.Errorf("Show(%q) is %q: %v", s, shown, err)
		}
		if plain.Line(s) == nil && shown != s {
			t.Errorf("Show(%q) is %q, though it is a line", s, shown)
		}
	})
}

func TestTimesAreStrictAndCanBeWrittenAgain(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"2026-11-29T12:00:00Z":                true,
		"2026-11-29T12:00:00.123456789+05:45": true,
		"1970-01-01T00:00:00Z":                true,
		"9999-12-31T23:59:59Z":                true,
		"9999-12-31T23:59:59-00:01":           false, // year 10000 in UTC
		"9999-12-31T23:59:59-23:59":           false,
		"1970-01-01T00:00:00+00:01":           false,
		"0001-01-01T00:00:00Z":                false, // Go's zero time
		"0000-01-01T00:00:00Z":                false,
		"10000-01-01T00:00:00Z":               false,
		"2026-13-01T00:00:00Z":                false,
		"2026-02-29T00:00:00Z":                false,
		"2026-11-29T24:00:00Z":                false,
		"2026-11-29T0:00:00Z":                 false,
		"2026-11-29T00:00:00,5Z":              false,
		"2026-11-29T00:00:00.Z":               false,
		"2026-11-29T00:00:00+24:00":           false,
		"2026-11-29t00:00:00z":                false,
		"2026-11-29 00:00:00Z":                false,
		"2026-11-29T00:00:00":                 false,
		"2026-11-29":                          false,
		" 2026-11-29T00:00:00Z":               false,
		"":                                    false,
	} {
		if err := plain.Time(s); (err == nil) != want {
			t.Errorf("Time(%q): %v, want accepted: %t", s, err, want)
			continue
		}
		if !want {
			continue
		}
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(at.UTC()); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
