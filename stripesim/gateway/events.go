package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ordersaga/ordersaga/internal/pgdb"
)

// The types of payment events.
const (
	eventSucceeded         = "payment_intent.succeeded"
	eventRefunded          = "charge.refunded"
	eventRefundCreated     = "refund.created"
	eventRefundUpdated     = "refund.updated"
	eventRefundFailed      = "refund.failed"
	eventDisputeCreated    = "charge.dispute.created"
	eventDisputeWithdrawn  = "charge.dispute.funds_withdrawn"
	eventDisputeClosed     = "charge.dispute.closed"
	eventDisputeReinstated = "charge.dispute.funds_reinstated"
)

// Events are the types of payment events that are sent.
var Events = []string{
	eventSucceeded, eventRefunded, eventRefundCreated, eventRefundUpdated, eventRefundFailed, eventDisputeCreated,
	eventDisputeWithdrawn, eventDisputeClosed, eventDisputeReinstated,
}

// apiVersion is the API version of the events' objects.
const apiVersion = "2026-10-28"

// emit writes an event about the object, which is the payment or belongs to it. It is sent once the transaction has committed,
// unless a fault strikes it. Without a webhook emit does nothing.
func (c *call) emit(i *intent, kind string, object any) error {
	if c.gateway.options.WebhookURL == "" {
		return nil
	}
	id := newID("evt")
	body, err := json.MarshalIndent(map[string]any{
		"id": id, "object": "event", "api_version": apiVersion, "created": c.now.Unix(), "livemode": false,
		"pending_webhooks": 1, "type": kind, "data": map[string]any{"object": object},
	}, "", "  ")
	if err != nil {
		return err
	}
	due, copies := &c.now, 1
	switch s := c.gateway.faults.strikeEvent(kind, i); s.fault {
	case FaultEventLost:
		due = nil
	case FaultEventTwice:
		copies = 2
	case FaultEventLate:
		late := c.now.Add(s.after)
		due = &late
	}
	_, err = c.tx.Exec(c, `INSERT INTO events (id, type, body, created_at, due_at, copies) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, kind, body, c.now, due, copies)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	return nil
}

const (
	sendEvery   = 500 * time.Millisecond // between two looks for due events
	sendTimeout = 10 * time.Second       // of one attempt
	sendBatch   = 20
	// Attempts follow after 1 s, 2 s, 4 s and so on, at most an hour apart: about three days in all, like Stripe.
	maxAttempts = 84
)

// Run changes refunds whose time has come, and sends events to the configured webhook, until ctx is done. Each event is sent
// until the receiver returns 2xx. It may be sent more than once, and events may be sent in any order.
func (g *Gateway) Run(ctx context.Context) {
	ticker := time.NewTicker(sendEvery)
	defer ticker.Stop()
	for {
		_, err := g.ChangeRefunds(ctx)
		if err != nil && ctx.Err() == nil {
			g.log.Warn("refunds are not changed", "error", err.Error())
		}
		sent, err := g.sendDue(ctx)
		if err != nil && ctx.Err() == nil {
			g.log.Warn("events are not sent", "error", err.Error())
		}
		if sent == sendBatch && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// event is a row of events.
type event struct {
	ID       string
	Body     []byte
	Attempts int
}

// sendDue sends a batch of due events and returns how many there were. Without a webhook there are none.
func (g *Gateway) sendDue(ctx context.Context) (int, error) {
	if g.options.WebhookURL == "" {
		return 0, nil
	}
	due, err := g.claimDue(ctx)
	if err != nil {
		return 0, err
	}
	for _, e := range due {
		if err := g.send(ctx, e); err != nil {
			g.log.Info("an event was not taken", "event", e.ID, "attempt", e.Attempts, "error", err.Error())
			continue
		}
		if _, err := g.db.Exec(ctx, `
			UPDATE events SET copies = copies - 1, delivered = true, due_at = CASE WHEN copies > 1 THEN $2::timestamptz END
			WHERE id = $1`, e.ID, g.now()); err != nil {
			return len(due), fmt.Errorf("mark an event as delivered: %w", err)
		}
	}
	return len(due), nil
}

// claimDue claims due events by scheduling their next attempts: other processes skip them, and if this one dies before it
// has delivered them, they are sent again.
func (g *Gateway) claimDue(ctx context.Context) ([]event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := g.now()
	due, err := pgdb.Collect(ctx, g.db, pgx.RowToStructByPos[event], `
		UPDATE events SET attempts = attempts + 1, due_at = CASE WHEN attempts + 1 < $3 THEN
			$1::timestamptz + least(3600, 2 ^ least(attempts, 12)) * interval '1 second' END
		WHERE id IN (SELECT id FROM events WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id, body, attempts`, now, sendBatch, maxAttempts)
	if err != nil {
		return nil, fmt.Errorf("find due events: %w", err)
	}
	return due, nil
}

// send makes one attempt. It returns nil if the receiver took the event.
func (g *Gateway) send(ctx context.Context, e event) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.options.WebhookURL, bytes.NewReader(e.Body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Stripe-Signature", signature(e.Body, g.options.WebhookSecret, time.Now()))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return errors.New(res.Status)
	}
	return nil
}

// signature is Stripe's scheme v1: HMAC-SHA256 over the time and the body.
func signature(body []byte, secret string, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(seconds + ".")) // a hash never fails
	_, _ = mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
