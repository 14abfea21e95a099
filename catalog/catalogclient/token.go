package catalogclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TokenSource returns the bearer token for a call, or "" for none. If it fails, the call is not made and returns the
// source's error. That should be an *Unauthorized if only a person can fix it.
type TokenSource func(context.Context) (string, error)

// isBearerToken reports whether s has the syntax of RFC 6750, section 2.1. Anything else could smuggle in a header.
func isBearerToken(s string) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	s = strings.TrimRight(s, "=")
	return s != "" && strings.Trim(s, characters) == ""
}

var errToken = errors.New("not a bearer token")

// StaticToken returns a source of one token, or an error if the token is malformed.
func StaticToken(token string) (TokenSource, error) {
	if !isBearerToken(token) {
		return nil, errToken
	}
	return func(context.Context) (string, error) { return token, nil }, nil
}

// TokenFile returns a source that reads the token from a file on each call (about ten microseconds), so a rotated token
// needs no restart. White space around the token is ignored.
func TokenFile(path string) TokenSource {
	return func(context.Context) (string, error) {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", &Unauthorized{err} // it names the file
		}
		token := strings.TrimSpace(string(content))
		if !isBearerToken(token) {
			return "", &Unauthorized{fmt.Errorf("the content of %s is %w", path, errToken)}
		}
		return token, nil
	}
}

// Unauthorized is the error of a call that the catalog rejected with 401 or 403, or that we have no token for. Repeating
// it only helps after a person has fixed the token.
type Unauthorized struct{ Err error }

func (e *Unauthorized) Error() string { return "not authorized: " + e.Err.Error() }

func (e *Unauthorized) Unwrap() error { return e.Err }

// NeedsAttention reports that only a person can fix this.
func (*Unauthorized) NeedsAttention() bool { return true }
