package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// sender sends what is in the outbox, at least once: it claims a delivery for a limited time (the lease), sends it and
// records the outcome. If it crashes in between, another sender repeats the delivery once the lease has expired, and the
// receiver recognises the repetition by its Message-ID or webhook-id. Any number of senders may share an outbox.
type sender struct {
	store    *store
	mail     *mailer // nil if no mail server is configured; the outbox may still hold mails from before
	webhooks *http.Client
	// operators are where operators are told now; their secret signs the calls.
	operators contact
	log       *slog.Logger
	workers   int
	timing    timing
	counters  counters
	wake      chan struct{} // receives when this process has put something into the outbox
}

// timing says when deliveries are attempted.
type timing struct {
	poll        time.Duration // between two looks of an idle worker for what is due
	timeout     time.Duration // of one attempt
	lease       time.Duration // longer than the timeout
	backoff     time.Duration // after the first failure; doubles with every further one
	maxBackoff  time.Duration
	maxAttempts int // then the delivery is given up
}

// defaultTiming keeps trying for about a day.
var defaultTiming = timing{
	poll: time.Second, timeout: 15 * time.Second, lease: 45 * time.Second,
	backoff: 5 * time.Second, maxBackoff: time.Hour, maxAttempts: 32,
}

func newSender(store *store, mail *mailer, log *slog.Logger, workers int) *sender {
	return &sender{
		store: store, mail: mail, webhooks: newWebhookClient(), log: log, workers: workers, timing: defaultTiming, counters: newCounters(),
		wake: make(chan struct{}, workers),
	}
}

// nudge wakes an idle worker, because there is something to send.
func (s *sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is pending for every worker
	}
}

// run sends until ctx is done, and then finishes the attempts that have begun.
func (s *sender) run(ctx context.Context) error {
	var working sync.WaitGroup
	for range s.workers {
		working.Go(func() { s.work(ctx) })
	}
	working.Wait()
	s.webhooks.CloseIdleConnections()
	return nil
}

func (s *sender) work(ctx context.Context) {
	for ctx.Err() == nil {
		d, err := s.store.claim(ctx, s.timing.lease)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("the outbox cannot be read", "error", err.Error())
			s.idle(ctx, 5*s.timing.poll)
		case d == nil:
			s.idle(ctx, s.timing.poll)
		default:
			s.attempt(context.WithoutCancel(ctx), d)
		}
	}
}

// idle waits until there may be something to send.
func (s *sender) idle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.wake:
	}
}

// recordTimeout bounds recording an outcome.
const recordTimeout = 10 * time.Second

var errOvertaken = errors.New("a later event about the same thing has overtaken it")

// attempt sends the delivery, unless a later event has overtaken it, and records the outcome.
func (s *sender) attempt(ctx context.Context, d *claimed) {
	if d.Overtaken {
		s.leaveOut(ctx, d)
		return
	}
	ctx, end := traceAttempt(ctx, d)
	log := s.log.With("orderId", d.OrderID, "messageId", d.MessageID, "channel", d.Channel, "attempt", d.Attempt).
		With(telemetry.TraceAttrs(ctx)...)
	err := s.send(ctx, d, log)
	end(err)
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	var final *finalError
	switch {
	case err == nil:
		s.counters.delivered(ctx, d.Channel, outcomeSent, 1)
		err = s.store.sent(ctx, d)
	case errors.As(err, &final) || d.Attempt >= s.timing.maxAttempts:
		s.counters.delivered(ctx, d.Channel, outcomeGivenUp, 1)
		log.Error("delivery given up", "error", err.Error())
		err = s.store.giveUp(ctx, d, err)
	default:
		s.counters.delivered(ctx, d.Channel, outcomeFailed, 1)
		pause := s.timing.after(d.Attempt)
		log.Warn("delivery failed", "error", err.Error(), "againIn", pause.String())
		err = s.store.again(ctx, d, err, pause)
	}
	if err != nil {
		log.Warn("the outcome is not recorded, so the delivery is sent again when its lease expires", "error", err.Error())
	}
}

// leaveOut records that a delivery is not made, because a later event has overtaken it.
func (s *sender) leaveOut(ctx context.Context, d *claimed) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	log := s.log.With("orderId", d.OrderID, "messageId", d.MessageID, "channel", d.Channel)
	log.Info("delivery left out", "reason", errOvertaken.Error())
	if err := s.store.giveUp(ctx, d, errOvertaken); err != nil {
		log.Warn("the outcome is not recorded, so it is left out again when its lease expires", "error", err.Error())
	}
}

// finalError is the error of a delivery that can never succeed, for example because the address does not exist.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func (s *sender) send(ctx context.Context, d *claimed, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, s.timing.timeout)
	defer cancel()
	switch d.Channel {
	case toMail:
		if s.mail == nil {
			return errors.New("no mail server is configured now")
		}
		return s.mail.send(ctx, d)
	case toWebhook:
		secret := d.Secret
		if d.Audience == forOperators && d.Address == s.operators.WebhookURL {
			secret = s.operators.WebhookSecret
		}
		if secret == "" {
			return &finalError{errors.New("the webhook is no longer configured")}
		}
		return callWebhook(ctx, s.webhooks, d, secret)
	case toLog:
		write(d, log)
		return nil
	}
	return &finalError{fmt.Errorf("the unknown channel %q", d.Channel)}
}

// write delivers to the log.
func write(d *claimed, log *slog.Logger) {
	log = log.With("type", d.Type, "userId", d.UserID, "text", d.Body)
	if d.Audience == forOperators {
		log.Warn("operators notified")
		return
	}
	log.Info("customer notified")
}

// after returns the pause after that number of attempts: a random time between half the bound and the bound, so that a
// receiver that recovers does not get all calls at once.
func (t timing) after(attempts int) time.Duration {
	bound := t.maxBackoff
	if doublings := attempts - 1; doublings < 30 {
		bound = min(t.backoff<<doublings, t.maxBackoff)
	}
	return bound/2 + rand.N(bound/2+1)
}
