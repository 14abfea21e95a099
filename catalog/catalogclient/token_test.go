package catalogclient_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
)

// withToken returns a client that shows tokens, and what its catalog sees in Authorization.
func withToken(t *testing.T, token catalogclient.TokenSource, answer handler) (*catalogclient.Client, *catalog, func() []string) {
	t.Helper()
	var seen []string
	fake := &catalog{}
	fake.does(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header["Authorization"]...)
		return answer(r)
	})
	c, err := catalogclient.New(catalogclient.Options{
		BaseURL: "http://catalog.test", Token: token, Transport: fake, Log: slog.New(slog.DiscardHandler),
		OnStateChange: func(_, to string) { t.Errorf("the breaker is %s", to) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, fake, func() []string { return seen }
}

// unauthorized checks that err says that only a person can help, and in which words.
func unauthorized(t *testing.T, err error, words string) {
	t.Helper()
	var u *catalogclient.Unauthorized
	if !errors.As(err, &u) || !u.NeedsAttention() || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want that somebody looks after the token: %s", err, words)
	}
	if err != nil && strings.Contains(err.Error(), "sesame") {
		t.Errorf("%v shows the token", err)
	}
}

func TestTheTokenIsReadAgainForEachCall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	c, fake, seen := withToken(t, catalogclient.TokenFile(path), says(200, "{}"))
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unauthorized(t, c.Release(t.Context(), id), path)
	for _, wrong := range []string{"", "\n", "sesame open", "sesame\r\nX-Evil: 1", "sésame"} {
		write(wrong)
		unauthorized(t, c.Release(t.Context(), id), path)
		if lines, err := c.PriceItems(t.Context(), lamps); err == nil {
			t.Errorf("priced %v", lines)
		}
	}
	if n := fake.calls.Load(); n != 0 {
		t.Errorf("%d calls were made without the token that they need", n)
	}
	for _, token := range []string{"one", "two.part_s~+/-=="} {
		write("  " + token + "\n")
		if err := c.Release(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if got, want := seen(), []string{"Bearer one", "Bearer two.part_s~+/-=="}; !slices.Equal(got, want) {
		t.Errorf("the catalog saw %q, want %q", got, want)
	}
}

func TestAStaticTokenIsShownWithEveryCallAndNoTokenWithNone(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "sesame open", "sesame\n"} {
		if _, err := catalogclient.StaticToken(wrong); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	sesame, err := catalogclient.StaticToken("sesame")
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[*catalogclient.TokenSource][]string{&sesame: {"Bearer sesame", "Bearer sesame"}, new(catalogclient.TokenSource): nil} {
		c, _, seen := withToken(t, *source, says(200, "{}"))
		if err := errors.Join(c.Release(t.Context(), id), c.Reserve(t.Context(), id, lamps, time.Now())); err != nil {
			t.Error(err)
		}
		if got := seen(); !slices.Equal(got, want) {
			t.Errorf("the catalog saw %q, want %q", got, want)
		}
	}
}

// A catalog that does not know us is well. The breaker stays closed, however often it says so, and nobody takes it for a
// refusal of the order.
func TestATokenThatIsNotAcceptedIsForAPersonToPutRight(t *testing.T) {
	t.Parallel()
	sesame, err := catalogclient.StaticToken("sesame")
	if err != nil {
		t.Fatal(err)
	}
	for words, answer := range map[string]handler{
		"401 /problems/unauthenticated: the token is not valid":                   says(401, `{"type": "/problems/unauthenticated", "detail": "the token is not valid"}`),
		"403 /problems/forbidden: the token lacks the scope catalog:reservations": says(403, `{"type": "/problems/forbidden", "detail": "the token lacks the scope catalog:reservations"}`),
		"403 : Forbidden": says(403, `<html>of a proxy</html>`, "Retry-After: 7"),
	} {
		c, fake, _ := withToken(t, sesame, answer)
		unauthorized(t, release(t, c, 30), words)
		unauthorized(t, c.Commit(t.Context(), id), words)
		unauthorized(t, c.Reserve(t.Context(), id, lamps, time.Now()), words)
		_, err := c.PriceItems(t.Context(), lamps)
		unauthorized(t, err, words)
		if n := fake.calls.Load(); n != 33 {
			t.Errorf("%s: %d calls reached the catalog, want 33", words, n)
		}
	}
}

// Whoever issues tokens may be down, too, and comes back by itself.
func TestASourceThatFailsIsNobodysFault(t *testing.T) {
	t.Parallel()
	down := false
	source := func(context.Context) (string, error) {
		if down {
			return "", errors.New("the issuer is down")
		}
		return "sesame", nil
	}
	c, fake, _ := withToken(t, source, lampPrice)
	if _, err := c.PriceItems(t.Context(), lamps); err != nil {
		t.Fatal(err)
	}
	down = true
	if err := release(t, c, 30); err == nil || errors.As(err, new(*catalogclient.Unauthorized)) || !strings.Contains(err.Error(), "the issuer is down") {
		t.Errorf("got %v, want a failure that heals by itself", err)
	}
	if lines, err := c.PriceItems(t.Context(), lamps); err != nil || lines[0].PriceSeen.IsZero() {
		t.Errorf("got %v, %v, want the last known price", lines, err)
	}
	if n := fake.calls.Load(); n != 1 {
		t.Errorf("%d calls, want one: the others have no token", n)
	}
}

func BenchmarkTokenFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "token")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 900)), 0o600); err != nil {
		b.Fatal(err)
	}
	read := catalogclient.TokenFile(path)
	for b.Loop() {
		if _, err := read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
