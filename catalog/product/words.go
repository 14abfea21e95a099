package product

import (
	"slices"
	"strings"
	"unicode"
)

// Words returns the words of a name or of a search: in lower case, sorted, each once.
func Words(text string) []string {
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
	words := strings.FieldsFunc(strings.ToLower(text), between)
	slices.Sort(words)
	return slices.Compact(words)
}
