package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/internal/webhook"
)

// caller calls webhooks, signed after the Standard Webhooks scheme.
type caller struct{ client *http.Client }

func newCaller() *caller {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &caller{&http.Client{
		Transport: transport,
		// The address that operators have listed is called, and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *caller) close() { c.client.CloseIdleConnections() }

// maxAnswer is how much of an answer is read, so that the connection can be used again.
const maxAnswer = 64 << 10

// send returns nil when the receiver has answered with 2xx. 410 Gone means that it wants no more of them, for ever.
func (c *caller) send(ctx context.Context, d *due) error {
	key, err := webhook.ParseKey(d.Secret)
	if err != nil {
		return &finalError{err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Address, strings.NewReader(d.Body))
	if err != nil {
		return &finalError{fmt.Errorf("call the webhook of user %d: %w", d.UserID, err)}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ordersaga-notifier/1")
	key.Sign(req.Header, webhookID(d.MessageID), time.Now(), []byte(d.Body))
	res, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("call the webhook at %s: %w", req.URL.Host, withoutURL(err))
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return &finalError{fmt.Errorf("call the webhook at %s: %s", req.URL.Host, res.Status)}
	}
	return fmt.Errorf("call the webhook at %s: %s", req.URL.Host, res.Status)
}

// webhookID is the message's ID without full stops, which the scheme keeps for itself.
func webhookID(messageID string) string { return strings.ReplaceAll(messageID, ".", "_") }

// withoutURL drops the URL from an HTTP client's error: it may hold a token.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
