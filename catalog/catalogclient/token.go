package catalogclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TokenSource returns the bearer token that a call is made with, or "" for none. When it fails the call is not made, and its
// error is the call's: an *Unauthorized if only a person can put that right.
type TokenSource func(context.Context) (string, error)

// isBearerToken reports whether it looks like one (RFC 6750, 2.1). Anything else in the header could be another header.
func isBearerToken(s string) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, characters) == ""
}

var errToken = errors.New("is not a bearer token")

// StaticToken always returns the same token.
func StaticToken(token string) (TokenSource, error) {
	if !isBearerToken(token) {
		return nil, errToken
	}
	return func(context.Context) (string, error) { return token, nil }, nil
}

// TokenFile returns the token in a file, which is read for each call (some ten microseconds), so that whoever rotates the token
// has nothing to restart. White space around it does not count.
func TokenFile(path string) TokenSource {
	return func(context.Context) (string, error) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", &Unauthorized{err} // it names the file
		}
		token := strings.TrimSpace(string(content))
		if !isBearerToken(token) {
			return "", &Unauthorized{fmt.Errorf("what is in %s %w", path, errToken)}
		}
		return token, nil
	}
}

// Unauthorized is the error of a call that the catalog does not let us make, or that we have no token for. Repeating it helps
// only when somebody has put the token right.
type Unauthorized struct{ Err error }

func (e *Unauthorized) Error() string { return "not allowed to call it: " + e.Err.Error() }

func (e *Unauthorized) Unwrap() error { return e.Err }

// NeedsAttention reports that only a person can put it right.
func (*Unauthorized) NeedsAttention() bool { return true }
