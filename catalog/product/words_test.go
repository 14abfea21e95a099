package product_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ordersaga/ordersaga/catalog/product"
)

func TestWordsAreAlikeHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Brass Lamp, brass":   {"brass", "lamp"},
		"Café":                {"café"},
		"CAFE\u0301":          {"café"}, // NFD, in capitals
		"ＣＡＦÉ":                {"café"}, // full width
		"Straße":              {"strasse"},
		"STRASSE":             {"strasse"},
		"ﬁlter":               {"filter"}, // a ligature
		"İstanbul":            {"i̇stanbul"},
		"चाय की पत्ती":        {"की", "चाय", "पत्ती"}, // vowels are marks
		"ชาเขียว":             {"ชาเขียว"},
		"Coffee ☕\ufe0f":      {"coffee", "☕"},
		"☕☕":                  {"☕"},
		"5€":                  {"5", "€"},
		"tea + cup":           {"cup", "tea"},
		"T-Shirt (L/XL)":      {"l", "shirt", "t", "xl"},
		"Tee\u00adkanne":      {"teekanne"}, // a soft hyphen,
		"!!!":                 nil,
		" \u200b\ufe0f\u0301": nil,
		"":                    nil,
		"x²":                  {"x2"},
	} {
		if got := product.Words(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("Café ☕\ufe0f, STRASSE ﬁ")
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("not text")
		}
		words := product.Words(text)
		for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
			if got := product.Words(form.String(text)); !slices.Equal(got, words) {
				t.Errorf("%q: %q, in another form %q", text, words, got)
			}
		}
		for _, w := range words {
			if again := product.Words(w); !slices.Equal(again, []string{w}) {
				t.Errorf("the word %q of %q is found as %q", w, text, again)
			}
		}
	})
}
