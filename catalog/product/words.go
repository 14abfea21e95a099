package product

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Words returns the words of a name or of a search: each once, sorted, and alike however they are written: in any case, with
// accents as characters of their own or not (NFC, NFD), in full or half width. A word is letters, digits and their marks in a
// row, or one sign such as ☕ or €. Punctuation is no word.
func Words(text string) []string {
	text = folded(text)
	var words []string
	begin := -1 // of the word at hand
	end := func(at int) {
		if begin >= 0 {
			words = append(words, text[begin:at])
		}
		begin = -1
	}
	for at, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), begin >= 0 && unicode.IsMark(r):
			if begin < 0 {
				begin = at
			}
		case unicode.In(r, unicode.So, unicode.Sc):
			end(at)
			words = append(words, string(r))
		default:
			end(at)
		}
	}
	end(len(text))
	slices.Sort(words)
	return slices.Compact(words)
}

// folded returns text without what tells only its writings apart: a compatibility caseless match by The Unicode Standard
// (D146), without what is not seen.
func folded(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Variation_Selector, r) || strings.ContainsRune("\u00ad\u200c\u200d\u2060\ufeff", r) {
			return -1
		}
		return r
	}, text)
	fold := cases.Fold()
	return norm.NFKC.String(fold.String(norm.NFKD.String(fold.String(norm.NFD.String(text)))))
}
