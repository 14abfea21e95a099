package orderclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client calls the orders' API. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	token func(context.Context) (string, error)
	tries int
	pause time.Duration
}

// Option changes a Client.
type Option func(*Client)

// WithHTTPClient makes the client use c. For Watch, its Timeout must be 0 or longer than a stream.
func WithHTTPClient(c *http.Client) Option { return func(o *Client) { o.http = c } }

// WithToken authenticates requests by bearer tokens. The client calls source before each request; source may cache.
func WithToken(source func(context.Context) (string, error)) Option {
	return func(o *Client) { o.token = source }
}

// WithTries sets the maximum number of tries of a request (5 by default) and the first pause between two tries (200 ms by
// default). The pause doubles after each try. A server's Retry-After can lengthen it.
func WithTries(n int, pause time.Duration) Option {
	return func(o *Client) { o.tries, o.pause = n, pause }
}

// New returns a client of the API at baseURL, for example http://127.0.0.1:8080.
func New(baseURL string, options ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("the API's URL must look like http://host:port")
	}
	c := &Client{base: base, http: &http.Client{}, tries: 5, pause: 200 * time.Millisecond}
	for _, o := range options {
		o(c)
	}
	return c, nil
}

// PlaceOption changes how an order is placed.
type PlaceOption func(http.Header)

// WithKey places the order under the caller's key. The same key and order always mean the same order.
func WithKey(key string) PlaceOption { return func(h http.Header) { h.Set("Idempotency-Key", key) } }

// Wait sets how long the server waits for the outcome, in whole seconds: 10 s by default, at most 60 s; 0: do not wait.
func Wait(d time.Duration) PlaceOption {
	return func(h http.Header) {
		if h.Set("Prefer", "wait="+strconv.Itoa(int(d/time.Second))); d <= 0 {
			h.Set("Prefer", "respond-async")
		}
	}
}

// Place places an order and returns it: CONFIRMED, or PENDING if it was not decided in time. A refusal is a *Problem. After
// any other error the order may exist; it is safe to place it again under the same key.
func (c *Client) Place(ctx context.Context, order NewOrder, options ...PlaceOption) (*Order, error) {
	header := http.Header{"Idempotency-Key": {rand.Text()}}
	for _, o := range options {
		o(header)
	}
	return c.order(ctx, http.MethodPost, "/orders", order, header)
}

// Get returns an order.
func (c *Client) Get(ctx context.Context, id string) (*Order, error) {
	return c.order(ctx, http.MethodGet, orderPath(id), nil, nil)
}

// GetIfChanged returns an order, or nil if it is still the version of the ETag.
func (c *Client) GetIfChanged(ctx context.Context, id, etag string) (*Order, error) {
	return c.order(ctx, http.MethodGet, orderPath(id), nil, http.Header{"If-None-Match": {etag}})
}

// Cancel cancels an order and returns it: ended, or PENDING while it is being undone. The reason is optional, in the caller's
// words. Of a confirmed order, all that is left is given back: it stays CONFIRMED, and RefundID names the refund, which may
// still be at work. A confirmed order that can no longer be cancelled is a *Problem, of type OrderShipped for example.
func (c *Client) Cancel(ctx context.Context, id, reason string) (*Order, error) {
	return c.order(ctx, http.MethodPost, orderPath(id)+"/cancel", CancelOrder{reason}, nil)
}

// Timeline returns the timeline entries of an order so far.
func (c *Client) Timeline(ctx context.Context, id string) ([]Entry, error) {
	var timeline Timeline
	_, err := c.call(ctx, http.MethodGet, orderPath(id)+"/timeline", nil, nil, &timeline)
	return timeline.Entries, err
}

// Filter selects the orders to list. Zero values select all.
type Filter struct {
	UserID      int64
	Status      Status
	ProductID   string
	CreatedFrom time.Time // then or later
	CreatedTo   time.Time // before
	PageSize    int       // orders per request; 0 leaves it to the server
}

func (f Filter) query() url.Values {
	q := url.Values{}
	set := func(name, value string, zero bool) {
		if !zero {
			q.Set(name, value)
		}
	}
	set("userId", strconv.FormatInt(f.UserID, 10), f.UserID == 0)
	set("status", string(f.Status), f.Status == "")
	set("productId", f.ProductID, f.ProductID == "")
	set("createdFrom", f.CreatedFrom.UTC().Format(time.RFC3339Nano), f.CreatedFrom.IsZero())
	set("createdTo", f.CreatedTo.UTC().Format(time.RFC3339Nano), f.CreatedTo.IsZero())
	set("limit", strconv.Itoa(f.PageSize), f.PageSize == 0)
	return q
}

// List yields all selected orders, newest first. It requests them page by page and stops after an error.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[*Order, error] {
	return func(yield func(*Order, error) bool) {
		query := f.query()
		for {
			var page OrderPage
			if _, err := c.call(ctx, http.MethodGet, "/orders?"+query.Encode(), nil, nil, &page); err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Orders {
				if !yield(&page.Orders[i], nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

func orderPath(id string) string { return "/orders/" + url.PathEscape(id) }

// order calls an operation that returns an order. For a 304 it returns nil.
func (c *Client) order(ctx context.Context, method, path string, body any, header http.Header) (*Order, error) {
	var o Order
	res, err := c.call(ctx, method, path, body, header, &o)
	if err != nil || res.StatusCode == http.StatusNotModified {
		return nil, err
	}
	o.ETag = res.Header.Get("ETag")
	o.Replayed = res.Header.Get("Idempotency-Replayed") == "true"
	if path, id, ok := strings.Cut(res.Header.Get("Location"), "/refunds/"); ok && path != "" {
		o.RefundID = id
	}
	if link, relation, ok := strings.Cut(res.Header.Get("Link"), ">"); ok && strings.Contains(relation, `rel="monitor"`) {
		o.SagaURL = strings.TrimPrefix(link, "<")
	}
	return &o, nil
}

// call sends a request until its result is final, and decodes the response into out.
func (c *Client) call(ctx context.Context, method, path string, body any, header http.Header, out any) (*http.Response, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		var text []byte
		res, err := c.send(ctx, method, path, payload, header)
		if err == nil {
			text, err = read(res)
		}
		switch {
		case err == nil && res.StatusCode == http.StatusNotModified:
			return res, nil
		case err == nil && res.StatusCode/100 == 2:
			if err := json.Unmarshal(text, out); err != nil {
				return nil, fmt.Errorf("%s %s: decode the response: %w", method, path, err)
			}
			return res, nil
		case err == nil:
			err = refused(res, text)
		}
		wait, again := c.again(err, try)
		if !again {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, errors.Join(ctx.Err(), err))
		}
	}
}

// maxResponse bounds a response, in bytes. A page of 100 orders of 100 lines has about 2 MB.
const maxResponse = 8 << 20

// read reads the rest of a response and closes it.
func read(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	return io.ReadAll(io.LimitReader(res.Body, maxResponse))
}

func (c *Client) send(ctx context.Context, method, path string, payload []byte, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base.String(), "/")+path, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != nil {
		token, err := c.token(ctx)
		if err != nil {
			return nil, final{fmt.Errorf("get a token: %w", err)}
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return c.http.Do(req)
}

func refused(res *http.Response, text []byte) *Problem {
	p := problemOf(res.StatusCode, text)
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

// final is an error after which a repeat is useless.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// maxPause bounds the pauses that the client chooses.
const maxPause = 5 * time.Second

// again reports whether to repeat a request, and after which pause.
func (c *Client) again(err error, try int) (time.Duration, bool) {
	var f final
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if ended || try >= c.tries || errors.As(err, &f) {
		return 0, false
	}
	wait := min(c.pause<<(try-1), maxPause)
	var p *Problem
	if !errors.As(err, &p) {
		return wait, true // no response
	}
	return max(wait, p.RetryAfter), p.repeatable()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
