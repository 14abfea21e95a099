package catalogclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpclient"
)

// Options configure a Client. Only BaseURL is required.
type Options struct {
	BaseURL string // such as http://127.0.0.1:4002
	// Token provides the bearer token of each call; by default calls carry none.
	Token TokenSource
	// Timeout bounds one call, from the request to the end of the response; 3 s by default.
	Timeout time.Duration
	// PriceAge is the greatest age of a price that may be used while the catalog is down; 5 min by default. A negative
	// value switches the fallback off.
	PriceAge time.Duration
	// Transport sends the requests; by default NewTransport's.
	Transport http.RoundTripper
	Log       *slog.Logger // slog.Default by default
	// OnStateChange, if set, is called with the breaker's states: closed, open, half-open. It must return quickly.
	OnStateChange func(from, to string)
}

// Client calls the catalog. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	http    *http.Client
	token   TokenSource
	timeout time.Duration
	breaker *breaker
	prices  *lastPrices
	log     *slog.Logger
}

// maxResponse bounds how much of a response is read, in bytes. 100 products with the longest names take a tenth of it.
const maxResponse = 1 << 20

// New returns a client. It connects on its first call.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the catalog's URL must look like http://host:port")
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Token == nil {
		o.Token = func(context.Context) (string, error) { return "", nil }
	}
	log := cmp.Or(o.Log, slog.Default())
	return &Client{
		base:    base,
		http:    &http.Client{Transport: o.Transport, CheckRedirect: noRedirects},
		token:   o.Token,
		timeout: cmp.Or(o.Timeout, 3*time.Second),
		breaker: newBreaker(log, o.OnStateChange),
		prices:  newLastPrices(cmp.Or(o.PriceAge, 5*time.Minute)),
		log:     log,
	}, nil
}

// NewTransport returns the default Transport, for callers that wrap it. It keeps as many connections open as a worker runs
// activities at once.
func NewTransport() *http.Transport {
	t := httpclient.NewTransport()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 200, 200
	t.Proxy = nil // the catalog is in the same network
	return t
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Unavailable is the error of a call that the breaker did not let through, or that the catalog asked to repeat later.
type Unavailable struct {
	RetryAfter time.Duration // when to try again
	Err        error
}

func (e *Unavailable) Error() string {
	return fmt.Sprintf("try again in %s: %v", e.RetryAfter.Round(time.Millisecond), e.Err)
}

func (e *Unavailable) Unwrap() error { return e.Err }

// RetryDelay is how long to wait before the next try.
func (e *Unavailable) RetryDelay() time.Duration { return e.RetryAfter }

// call makes one request through the breaker and decodes a 2xx response into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	if err := c.try(ctx, method, path, in, out); err != nil {
		return fmt.Errorf("catalog: %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) try(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token(ctx)
	if err != nil {
		return err // it says nothing about the catalog, so the breaker must not count it
	}
	r, err := c.breaker.do(ctx, func() (response, error) { return c.send(ctx, method, path, token, in) })
	if err != nil {
		return err
	}
	return r.decode(out)
}

// send makes one request. It returns an error for a 5xx, which the breaker counts as a failure.
func (c *Client) send(ctx context.Context, method, path, token string, in any) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, method, path, token, in)
	if err != nil {
		return response{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return response{}, withoutURL(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if err != nil {
		return response{}, fmt.Errorf("read the response: %w", err)
	}
	r := response{status: res.StatusCode, header: res.Header, body: body}
	if r.status >= http.StatusInternalServerError {
		return response{}, r.later(r.problem())
	}
	return r, nil
}

func (c *Client) request(ctx context.Context, method, path, token string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be made") // the error could show a password in the URL
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// withoutURL drops the URL that net/http adds to its errors: the caller names the path, and the base URL may contain a
// password.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// response is a complete response with a status below 500.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (r response) decode(out any) error {
	switch {
	case r.status == http.StatusTooManyRequests:
		return r.later(r.problem())
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return &Unauthorized{r.problem()}
	case r.status < 200 || r.status > 299:
		return r.problem()
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return fmt.Errorf("decode the response: %w", err)
	}
	return nil
}

// maxRetryAfter bounds the delay that a catalog can ask for.
const maxRetryAfter = 5 * time.Minute

// later wraps err in an Unavailable if the response has a valid Retry-After, in seconds or as a date.
func (r response) later(err error) error {
	header := r.header.Get("Retry-After")
	wait := time.Duration(-1)
	if seconds, convErr := strconv.Atoi(header); convErr == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, convErr := http.ParseTime(header); convErr == nil {
		wait = max(0, time.Until(at))
	}
	if wait < 0 {
		return err
	}
	return &Unavailable{RetryAfter: min(wait, maxRetryAfter), Err: err}
}
