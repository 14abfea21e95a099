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

// withToken returns a client with a token source, its fake catalog, and the Authorization headers that the catalog saw.
func withToken(t *testing.T, token catalogclient.TokenSource, h handler) (*catalogclient.Client, *catalog, func() []string) {
	t.Helper()
	var seen []string
	fake := &catalog{}
	fake.does(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header["Authorization"]...)
		return h(r)
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

// unauthorized checks that err asks for a person, in the given words, and does not show the token.
func unauthorized(t *testing.T, err error, words string) {
	t.Helper()
	var u *catalogclient.Unauthorized
	if !errors.As(err, &u) || !u.NeedsAttention() || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want an Unauthorized that says %s", err, words)
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
	unauthorized(t, release(t, c, 1), path)
	for _, wrong := range []string{"", "\n", "sesame open", "sesame\r\nX-Evil: 1", "sésame"} {
		write(wrong)
		unauthorized(t, release(t, c, 1), path)
		if quotes, err := c.PriceProducts(t.Context(), lamp); err == nil {
			t.Errorf("got %v", quotes)
		}
	}
	if n := fake.calls.Load(); n != 0 {
		t.Errorf("%d calls were made without a token", n)
	}
	for _, token := range []string{"one", "two.part_s~+/-=="} {
		write("  " + token + "\n")
		if err := release(t, c, 1); err != nil {
			t.Error(err)
		}
	}
	if got, want := seen(), []string{"Bearer one", "Bearer two.part_s~+/-=="}; !slices.Equal(got, want) {
		t.Errorf("the catalog saw %q, want %q", got, want)
	}
}

func reserve(t *testing.T, c *catalogclient.Client) error {
	t.Helper()
	_, err := c.Reserve(t.Context(), id, []catalogclient.Line{{ProductID: "lamp", Quantity: 2}}, time.Now())
	return err
}

func TestAStaticTokenIsSentWithEveryCall(t *testing.T) {
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
	for _, test := range []struct {
		source catalogclient.TokenSource
		want   []string
	}{{sesame, []string{"Bearer sesame", "Bearer sesame"}}, {nil, nil}} {
		c, _, seen := withToken(t, test.source, says(200, "{}"))
		if err := errors.Join(release(t, c, 1), reserve(t, c)); err != nil {
			t.Error(err)
		}
		if got := seen(); !slices.Equal(got, test.want) {
			t.Errorf("the catalog saw %q, want %q", got, test.want)
		}
	}
}

// A catalog that rejects our token works. The breaker stays closed, and the error is not a problem of the order.
func TestARejectedTokenNeedsAPerson(t *testing.T) {
	t.Parallel()
	sesame, err := catalogclient.StaticToken("sesame")
	if err != nil {
		t.Fatal(err)
	}
	for words, h := range map[string]handler{
		"401 /problems/unauthenticated: the token is not valid": says(401,
			`{"type": "/problems/unauthenticated", "detail": "the token is not valid"}`),
		"403 /problems/forbidden: the token lacks a scope": says(403,
			`{"type": "/problems/forbidden", "detail": "the token lacks a scope"}`),
		"403 : Forbidden": says(403, `<html>of a proxy</html>`, "Retry-After: 7"),
	} {
		c, fake, _ := withToken(t, sesame, h)
		unauthorized(t, release(t, c, 30), words)
		_, err := c.Commit(t.Context(), id)
		unauthorized(t, err, words)
		unauthorized(t, reserve(t, c), words)
		_, err = c.PriceProducts(t.Context(), lamp)
		unauthorized(t, err, words)
		if n := fake.calls.Load(); n != 33 {
			t.Errorf("%s: %d calls reached the catalog, want 33", words, n)
		}
	}
}

// The issuer of the tokens may be down, too. It recovers without anyone's help.
func TestAFailingTokenSourceIsAPassingFailure(t *testing.T) {
	t.Parallel()
	down := false
	source := func(context.Context) (string, error) {
		if down {
			return "", errors.New("the issuer is down")
		}
		return "sesame", nil
	}
	c, fake, _ := withToken(t, source, lampPrice)
	if _, err := c.PriceProducts(t.Context(), lamp); err != nil {
		t.Fatal(err)
	}
	down = true
	err := release(t, c, 30)
	if err == nil || errors.As(err, new(*catalogclient.Unauthorized)) || !strings.Contains(err.Error(), "the issuer is down") {
		t.Errorf("got %v, want a failure that passes by itself", err)
	}
	if quotes, err := c.PriceProducts(t.Context(), lamp); err != nil || quotes[0].SeenAt.IsZero() {
		t.Errorf("got %v, %v, want the last known price", quotes, err)
	}
	if n := fake.calls.Load(); n != 1 {
		t.Errorf("%d calls, want one: the others had no token", n)
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
