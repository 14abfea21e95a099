// Package jsonhttp makes single calls to the programs' HTTP APIs, for what their Go clients do not cover.
package jsonhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Error is a response with a status other than 2xx.
type Error struct {
	Status int
	call   string
	body   []byte
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %d %s", e.call, e.Status, bytes.TrimSpace(e.body))
}

// HasStatus reports whether err is a response with this status.
func HasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// Get reads JSON into out, unless that is nil.
func Get(ctx context.Context, url string, out any) error {
	return call(ctx, http.MethodGet, url, nil, "", out)
}

// Post sends in as JSON, under an Idempotency-Key unless it is empty.
func Post(ctx context.Context, url string, in any, key string) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return call(ctx, http.MethodPost, url, body, key, nil)
}

func call(ctx context.Context, method, address string, body []byte, key string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // the caller knows the address
	}
	if err != nil {
		return fmt.Errorf("no response from %s: %w", address, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, address, err)
	case res.StatusCode/100 != 2:
		return &Error{Status: res.StatusCode, call: method + " " + address, body: text}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: the response is not the expected JSON: %w", method, address, err)
	}
	return nil
}
