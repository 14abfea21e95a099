package catalogclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/httpapi/problem"
)

// Options say where the catalog is and how long to wait for it. Only BaseURL is required.
type Options struct {
	BaseURL string // as in http://127.0.0.1:4002
	// Token is asked before each call; by default calls are made without a token.
	Token TokenSource
	// Timeout bounds one call, the body included; 3 s by default.
	Timeout time.Duration
	// PriceAge is how old a price may be that is used while the catalog cannot be asked; 5 min by default. Negative
	// means that no such price is used.
	PriceAge time.Duration
	// Transport makes the requests; by default connections of this client's own, kept alive.
	Transport http.RoundTripper
	Log       *slog.Logger // slog.Default by default
	// OnStateChange, if set, is told the breaker's states: closed, open, half-open. It must return quickly.
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

// maxAnswer bounds what is read of an answer, in bytes: 100 products with the longest names are a tenth of it.
const maxAnswer = 1 << 20

// New returns a client. It connects when it is called first.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the catalog's URL must look like http://host:port")
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.PriceAge == 0 {
		o.PriceAge = 5 * time.Minute
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Token == nil {
		o.Token = func(context.Context) (string, error) { return "", nil }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Client{
		base:    base,
		http:    &http.Client{Transport: o.Transport, CheckRedirect: noRedirects},
		token:   o.Token,
		timeout: o.Timeout,
		breaker: newBreaker(o.Log, o.OnStateChange),
		prices:  newLastPrices(o.PriceAge),
		log:     o.Log,
	}, nil
}

// newTransport keeps as many connections as a worker has activities at once.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 200, 200
	t.Proxy = nil // the catalog is a neighbour
	return t
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close closes connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Unavailable is the error of a call that the catalog could not be asked, or that it asked to repeat later.
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

// answer is what came back: a status below 500, and the body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call makes one request through the breaker and reads a 2xx answer into out. Any other answer of a living catalog is
// returned as a *problem.Problem, in an *Unauthorized if it is about who we are.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	if err := c.ask(ctx, method, path, in, out); err != nil {
		return fmt.Errorf("catalog: %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token(ctx)
	if err != nil {
		return err // says nothing about the catalog: the breaker does not hear of it
	}
	a, err := c.breaker.do(ctx, func() (answer, error) { return c.send(ctx, method, path, token, in) })
	if err != nil {
		return err
	}
	return a.read(out)
}

// send makes one request. A 5xx is an error.
func (c *Client) send(ctx context.Context, method, path, token string, in any) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, method, path, token, in)
	if err != nil {
		return answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, withoutURL(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: body}
	if a.status >= http.StatusInternalServerError {
		return answer{}, a.later(a.problem())
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, method, path, token string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.JoinPath(path).String(), body)
	if err != nil {
		return nil, errors.New("the request cannot be made")
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

// withoutURL leaves out what net/http says about the URL: the caller says it, and the base may carry a password.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func (a answer) read(out any) error {
	switch {
	case a.status == http.StatusTooManyRequests:
		return a.later(a.problem())
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return &Unauthorized{a.problem()}
	case a.status < 200 || a.status > 299:
		return a.problem()
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("understand the answer: %w", err)
	}
	return nil
}

// problem reads a problem; an answer that is none (of a proxy, say) is made one.
func (a answer) problem() *problem.Problem {
	p := &problem.Problem{}
	isProblem := strings.HasPrefix(a.header.Get("Content-Type"), problem.ContentType)
	if !isProblem || json.Unmarshal(a.body, p) != nil {
		p = &problem.Problem{Detail: http.StatusText(a.status)}
	}
	p.Status = a.status
	return p
}

// maxRetryAfter bounds what a catalog can ask for.
const maxRetryAfter = 5 * time.Minute

// later adds to an error when the catalog asked to come back, if it did.
func (a answer) later(err error) error {
	header := a.header.Get("Retry-After")
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
