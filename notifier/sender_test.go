package notifier

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/order"
)

func TestManySendersShareAnOutboxAndSendEachDeliveryOnce(t *testing.T) {
	t.Parallel()
	const events = 60
	s, _ := newStore(t)
	server := startMailServer(t)
	setContact(t, s, contact{Email: "ada@customers.example"})
	ctx, stop := context.WithCancel(t.Context())
	var senders errgroup.Group
	for range 3 {
		sender := newSender(s, server.mailer(t), discard(), 2)
		sender.timing.poll = 10 * time.Millisecond
		senders.Go(func() error { return sender.run(ctx) })
	}
	n := newNotifier(s, discard())
	for i := range events {
		if err := n.handle(t.Context(), messages(t, event(i, order.Confirmed))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all mails", func() bool { return len(server.received()) >= events })
	stop()
	if err := senders.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range server.received() {
		parsed, _ := parts(t, m.Data)
		seen[parsed.Header.Get("Message-Id")]++
	}
	if len(seen) != events || len(server.received()) != events {
		t.Errorf("%d mails about %d events, want %d", len(server.received()), len(seen), events)
	}
	for _, d := range outbox(t, s) {
		if diff := cmp.Diff(state{Channel: toMail, Attempts: 1, Sent: true}, d); diff != "" {
			t.Errorf("outbox (-want +got):\n%s", diff)
		}
	}
}

func TestAfterASenderDiesBetweenSendingAndRecordingAnotherRepeatsTheDelivery(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	server := startMailServer(t)
	setContact(t, s, contact{Email: "ada@customers.example"})
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, event(1, order.Confirmed))); err != nil {
		t.Fatal(err)
	}
	dying := newSender(s, server.mailer(t), discard(), 1)
	const lease = 200 * time.Millisecond
	first, err := s.claim(t.Context(), lease)
	if err != nil || first == nil {
		t.Fatalf("claimed %v (%v)", first, err)
	}
	if err := dying.send(t.Context(), first, discard()); err != nil { // and then it dies
		t.Fatal(err)
	}
	if second, err := s.claim(t.Context(), lease); err != nil || second != nil {
		t.Fatalf("another sender claimed %v (%v) before the lease expired", second, err)
	}
	next := newSender(s, server.mailer(t), discard(), 1)
	eventually(t, "the next sender", func() bool {
		sendAll(t, next)
		return outbox(t, s)[0].Sent
	})
	mails := server.received()
	if len(mails) != 2 {
		t.Fatalf("%d mails, want the one that was not recorded and another", len(mails))
	}
	a, _ := parts(t, mails[0].Data)
	b, _ := parts(t, mails[1].Data)
	for _, name := range []string{"Message-Id", "Date", "Subject"} {
		if a.Header.Get(name) != b.Header.Get(name) || a.Header.Get(name) == "" {
			t.Errorf("%s is %q, then %q: want the same mail twice", name, a.Header.Get(name), b.Header.Get(name))
		}
	}
	if err := s.again(t.Context(), first, context.Canceled, 0); err != nil { // the dead one comes back
		t.Fatal(err)
	}
	if diff := cmp.Diff([]state{{Channel: toMail, Attempts: 2, Sent: true}}, outbox(t, s)); diff != "" {
		t.Errorf("outbox (-want +got):\n%s", diff)
	}
}

func TestPausesBetweenAttemptsGrowToTheirBound(t *testing.T) {
	t.Parallel()
	total := time.Duration(0)
	for attempt := 1; attempt < defaultTiming.maxAttempts; attempt++ {
		pause := defaultTiming.after(attempt)
		if pause < defaultTiming.backoff/2 || pause > defaultTiming.maxBackoff {
			t.Errorf("after attempt %d: %s", attempt, pause)
		}
		total += pause
	}
	if total < 8*time.Hour || total > 25*time.Hour {
		t.Errorf("given up after %s", total)
	}
}
