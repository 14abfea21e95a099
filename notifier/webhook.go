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

// webhookClient calls webhooks, signed by the Standard Webhooks scheme.
type webhookClient struct{ client *http.Client }

func newWebhookClient() *webhookClient {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &webhookClient{&http.Client{
		Transport: transport,
		// Only the address in the contacts is called, which operators have entered.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *webhookClient) close() { c.client.CloseIdleConnections() }

// maxResponse is how much of a response is read, so that the connection can be reused.
const maxResponse = 64 << 10

// send returns nil if the receiver has returned 2xx. 410 Gone means that it wants no further calls, so that error is final.
func (c *webhookClient) send(ctx context.Context, d *claimed) error {
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
	_, _ = io.CopyN(io.Discard, res.Body, maxResponse)
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return &finalError{fmt.Errorf("call the webhook at %s: %s", req.URL.Host, res.Status)}
	}
	return fmt.Errorf("call the webhook at %s: %s", req.URL.Host, res.Status)
}

// webhookID is the message's ID without full stops, which the scheme reserves.
func webhookID(messageID string) string { return strings.ReplaceAll(messageID, ".", "_") }

// withoutURL removes the URL from an HTTP client's error, because it may hold a token.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
