package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// callTimeout bounds one call. It is more than the longest that the api waits for an outcome on our behalf.
const callTimeout = 45 * time.Second

// pause is how long until waits before it asks again.
const pause = 100 * time.Millisecond

// client calls one of the programs.
type client struct {
	name string // in sentences, as in "the api"
	base string
}

// answer is what came back, whatever its status.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// call sends a JSON body (none when nil) with further headers, as in "Prefer: wait=30". Only a call without an answer
// is an error.
func (c client) call(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base, "/")+path, payload)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, c.silent(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return answer{}, c.silent(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: b, took: time.Since(began)}, nil
}

// silent says who did not answer, and why, in fewer words than net/http.
func (c client) silent(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%s does not answer at %s: %w", c.name, c.base, err)
}

// get reads JSON into v. Any status but 200 is an error, errStatus if it is one of an answer.
func (c client) get(ctx context.Context, path string, v any) error {
	a, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return &errStatus{c.name, "GET " + path, a}
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("%s answered GET %s with something else than expected: %w", c.name, path, err)
	}
	return nil
}

// errStatus is an answer with a status that was not hoped for.
type errStatus struct {
	name, call string
	answer     answer
}

func (e *errStatus) Error() string {
	return fmt.Sprintf("%s answered %s with %d: %s", e.name, e.call, e.answer.status, bytes.TrimSpace(e.answer.body))
}

// until asks until there is an answer that is good enough, or patience or ctx ends. It returns the last answer; there is
// at least one, however short patience is.
func until[T any](
	ctx context.Context, patience time.Duration, ask func(context.Context) (T, error), good func(T) bool,
) (T, error) {
	v, err := ask(ctx)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for err != nil || !good(v) {
		select {
		case <-ctx.Done():
			return v, err
		case <-time.After(pause):
		}
		next, nextErr := ask(ctx)
		if ctx.Err() != nil {
			return v, err // what was cut short says nothing
		}
		v, err = next, nextErr
	}
	return v, nil
}
