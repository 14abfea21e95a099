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

	"github.com/ordersaga/ordersaga/internal/httpclient"
	"github.com/ordersaga/ordersaga/internal/telemetry"
	"github.com/ordersaga/ordersaga/internal/webhook"
)

// newWebhookClient returns a client that calls only the address in the contacts, which operators have entered.
func newWebhookClient() *http.Client {
	return &http.Client{
		Transport:     telemetry.Transport("webhook", httpclient.NewTransport()),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxResponse is how much of a response is read, so that the connection can be reused.
const maxResponse = 64 << 10

// callWebhook calls a webhook, signed by the Standard Webhooks scheme, and returns nil if the receiver has returned 2xx.
// 410 Gone means that it wants no further calls, so that error is final.
func callWebhook(ctx context.Context, client *http.Client, d *claimed, secret string) error {
	key, err := webhook.ParseKey(secret)
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
	res, err := client.Do(req)
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
