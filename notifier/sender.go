package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// sender sends what is in the outbox, at least once: it takes a delivery for a while (the lease), sends it and records
// that. A crash in between leaves it to whoever comes next, once the lease is over; the receiver recognises a repetition
// by its Message-ID or webhook-id. Any number of senders may work on one outbox.
type sender struct {
	store   *store
	mail    *mailer // nil: no mail is in the outbox, unless it was configured before
	hooks   *caller
	log     *slog.Logger
	workers int
	pace    pace
	wake    chan struct{} // says that something was put into the outbox here
}

// pace says when things are tried.
type pace struct {
	poll        time.Duration // how often an idle worker looks for what others put into the outbox, or what is due again
	deadline    time.Duration // for one attempt
	lease       time.Duration // more than the deadline
	backoff     time.Duration // after the first failure; doubles with every further one
	maxBackoff  time.Duration
	maxAttempts int // then it is given up
}

// defaultPace tries for about a day.
var defaultPace = pace{
	poll: time.Second, deadline: 15 * time.Second, lease: 45 * time.Second,
	backoff: 5 * time.Second, maxBackoff: time.Hour, maxAttempts: 32,
}

func newSender(store *store, mail *mailer, log *slog.Logger, workers int) *sender {
	return &sender{
		store: store, mail: mail, hooks: newCaller(), log: log, workers: workers, pace: defaultPace,
		wake: make(chan struct{}, workers),
	}
}

// nudge tells an idle worker that there is something to send.
func (s *sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // all of them have been told
	}
}

// run sends until ctx is done; attempts that have begun are finished.
func (s *sender) run(ctx context.Context) error {
	var working sync.WaitGroup
	for range s.workers {
		working.Go(func() { s.work(ctx) })
	}
	working.Wait()
	s.hooks.close()
	return nil
}

func (s *sender) work(ctx context.Context) {
	for ctx.Err() == nil {
		d, err := s.store.claim(ctx, s.pace.lease)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("the outbox cannot be read", "error", err.Error())
			s.idle(ctx, 5*s.pace.poll)
		case d == nil:
			s.idle(ctx, s.pace.poll)
		default:
			s.attempt(context.WithoutCancel(ctx), d)
		}
	}
}

// idle waits until there may be something to do.
func (s *sender) idle(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.wake:
	}
}

// recordTimeout bounds the recording of an outcome.
const recordTimeout = 10 * time.Second

// attempt sends the delivery and records what became of it.
func (s *sender) attempt(ctx context.Context, d *due) {
	log := s.log.With("message_id", d.MessageID, "channel", d.Channel, "attempt", d.Attempt)
	err := s.send(ctx, d)
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	var final *finalError
	switch {
	case err == nil:
		err = s.store.sent(ctx, d)
	case errors.As(err, &final) || d.Attempt >= s.pace.maxAttempts:
		log.Error("delivery given up", "error", err.Error())
		err = s.store.giveUp(ctx, d, err)
	default:
		pause := s.pace.after(d.Attempt)
		log.Warn("delivery failed", "error", err.Error(), "again_in", pause.String())
		err = s.store.again(ctx, d, err, pause)
	}
	if err != nil {
		log.Warn("the outcome is not recorded: it is sent again when its lease is over", "error", err.Error())
	}
}

// finalError is the error of a delivery that can never succeed, as when the address does not exist.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func (s *sender) send(ctx context.Context, d *due) error {
	ctx, cancel := context.WithTimeout(ctx, s.pace.deadline)
	defer cancel()
	switch d.Channel {
	case toMail:
		if s.mail == nil {
			return errors.New("no mail server is configured any more")
		}
		return s.mail.send(ctx, d)
	case toWebhook:
		return s.hooks.send(ctx, d)
	case toLog:
		s.write(d)
		return nil
	}
	return &finalError{fmt.Errorf("no way to send to %q", d.Channel)}
}

// write tells by a line in the log.
func (s *sender) write(d *due) {
	log := s.log.With("message_id", d.MessageID, "type", d.Type, "user_id", d.UserID, "text", d.Body)
	if d.Audience == forOperators {
		log.Warn("operators notified")
		return
	}
	log.Info("customer notified")
}

// after returns the pause after so many attempts, between half and all of its bound: receivers that come back are not
// called by everybody at once.
func (p pace) after(attempts int) time.Duration {
	bound := p.maxBackoff
	if doublings := attempts - 1; doublings < 30 {
		bound = min(p.backoff<<doublings, p.maxBackoff)
	}
	return bound/2 + rand.N(bound/2+1)
}
