package product

import (
	"slices"
	"strings"
	"unicode"
)

// Words are the words of a name, or of what somebody searches for: lower case, each once, in order.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	slices.Sort(words)
	return slices.Compact(words)
}
