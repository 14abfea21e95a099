package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
)

func TestAMessageThatComesAgainTellsTheCustomerOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	n := newNotifier(s, logger)
	n.mails = false
	e := event(1, order.Failed)
	for range 3 {
		if err := n.handle(t.Context(), messages(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ofOrder(t.Context(), e.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	want := []notification{{
		MessageID: "0197a4b2-6c1e-7d3f-8a55-000000000001.ORDER_CANCELLED", OrderID: e.OrderID, UserID: 42,
		Audience: "customer", Type: "ORDER_CANCELLED",
		Text: "We could not complete your order 0197a4b2-6c1e-7d3f-8a55-000000000001. Your card was declined. You owe nothing for it.",
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(notification{}, "CreatedAt")); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
	if age := time.Since(got[0].CreatedAt); age < -time.Minute || age > time.Minute {
		t.Errorf("created %s ago", age)
	}
	sendAll(t, newSender(s, nil, logger, 1))
	if n := strings.Count(log.String(), "customer notified"); n != 1 {
		t.Errorf("the log tells the customer %d times:\n%s", n, log.String())
	}
}

func TestCopiesThatAreHandledConcurrentlyTellTheCustomerOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	n := newNotifier(s, discard())
	var copies errgroup.Group
	for i := range 8 {
		batch := messages(t, event(1, order.Confirmed), event(2, order.Failed), event(1, order.Confirmed))
		if i%2 == 1 {
			slices.Reverse(batch) // the other way round would deadlock if the order of the rows depended on it
		}
		copies.Go(func() error { return n.handle(t.Context(), batch) })
	}
	if err := copies.Wait(); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, 2)
}

func TestABatchIsRecordedAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	newNote := func(id, text string) note {
		return note{notification: notification{
			MessageID: id, OrderID: event(1, order.Confirmed).OrderID, UserID: 42,
			Audience: forCustomer, Type: "ORDER_CONFIRMED", Text: text,
		}}
	}
	toTheLog := func(note, contact) []delivery { return []delivery{{Channel: toLog}} }
	twice := func(note, contact) []delivery { return []delivery{{Channel: toLog}, {Channel: toLog}} }
	for name, test := range map[string]struct {
		last       note
		deliveries func(note, contact) []delivery
	}{
		"a notification without text":              {newNote("m3", ""), toTheLog},
		"a text that PostgreSQL cannot store":      {newNote("m3", "\x00"), toTheLog},
		"a delivery that breaks a rule of the row": {newNote("m3", "Hello"), twice},
	} {
		recorded, err := s.record(t.Context(), []note{newNote("m1", "Hello"), newNote("m2", "Hello"), test.last}, test.deliveries)
		if err == nil || len(recorded) != 0 {
			t.Errorf("%s: recorded %v (%v), want an error", name, recorded, err)
		}
		checkCounts(t, s, 0)
	}
	recorded, err := s.record(t.Context(), []note{newNote("m2", "Hello"), newNote("m1", "Hello"), newNote("m2", "Hello")}, toTheLog)
	if diff := cmp.Diff(map[string]bool{"m1": true, "m2": true}, recorded); diff != "" || err != nil {
		t.Errorf("recorded (%v, -want +got):\n%s", err, diff)
	}
	checkCounts(t, s, 2)
}

// TestPrefetchedMessagesCostOneTransaction keeps the consumer busy with the first message, by a lock on the table, until it
// has prefetched all the others.
func TestPrefetchedMessagesCostOneTransaction(t *testing.T) {
	t.Parallel()
	const events = rabbitmq.MaxPrefetch
	s, _ := newStore(t)
	broker := newBroker(t)
	locker, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = locker.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := locker.Exec(t.Context(), `LOCK TABLE notifications IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	p := newPublisher(t, broker)
	publish(t, p, event(0, order.Confirmed))
	stop := startConsumer(t, broker, newNotifier(s, discard()))
	eventually(t, "a blocked transaction", func() bool { return blocked(t, s) > 0 })
	for n := 1; n < events; n++ {
		publish(t, p, event(n, order.Confirmed))
	}
	eventually(t, "all messages to be prefetched", func() bool { return ready(t, broker, rabbitmq.QueueConfirmed) == 0 })
	if err := locker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitNotifications(t, s, events)
	stop()
	checkCounts(t, s, events)
	var transactions int
	const query = `SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM notifications UNION ALL SELECT xmin FROM outbox)`
	if err := s.pool.QueryRow(t.Context(), query).Scan(&transactions); err != nil {
		t.Fatal(err)
	}
	if transactions != 2 { // that of the first message, and that of the others
		t.Errorf("%d messages cost %d transactions, want 2", events, transactions)
	}
	if n := ready(t, broker, rabbitmq.QueueConfirmed); n != 0 {
		t.Errorf("%d messages came back to the queue: they were not acknowledged", n)
	}
}

// TestAMessageThatCannotBeRecordedHoldsUpNoOther has an event that decodes but that PostgreSQL does not take.
func TestAMessageThatCannotBeRecordedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	const events = 10
	s, _ := newStore(t)
	if _, err := s.pool.Exec(t.Context(), `ALTER TABLE notifications ADD CHECK (text NOT LIKE '%Unrecordable%')`); err != nil {
		t.Fatal(err)
	}
	broker := newBroker(t)
	p := newPublisher(t, broker)
	for n := range events {
		e := event(n, order.Failed)
		if n == events/2 {
			e.Message = "unrecordable"
		}
		publish(t, p, e)
	}
	startConsumer(t, broker, newNotifier(s, discard()))
	awaitNotifications(t, s, events-1)
	eventually(t, "the dead letter", func() bool { return ready(t, broker, rabbitmq.DeadLetterQueue) == 1 })
	checkCounts(t, s, events-1)
	for _, delay := range rabbitmq.DefaultTopology().Tiers {
		if n := ready(t, broker, rabbitmq.TierName(delay)); n != 0 {
			t.Errorf("%d messages wait in %s", n, rabbitmq.TierName(delay))
		}
	}
}

func TestTheNotificationsOfAnOrderCanBeListed(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	e := event(1, order.Confirmed)
	if err := newNotifier(s, discard()).handle(t.Context(), messages(t, e)); err != nil {
		t.Fatal(err)
	}
	api := newAPI(s, map[string]httpserver.Check{"database": s.pool.Ping}, discard())

	status, body := get(t, api, "/notifications?orderId="+string(e.OrderID))
	var got struct{ Notifications []notification }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || len(got.Notifications) != 1 {
		t.Fatalf("status %d (%v): %s", status, err, body)
	}
	if n := got.Notifications[0]; n.MessageID != e.MessageID() || n.Type != "ORDER_CONFIRMED" {
		t.Errorf("notification %+v", n)
	}
	status, body = get(t, api, "/notifications?orderId="+string(event(2, order.Confirmed).OrderID))
	if status != http.StatusOK || body != `{"notifications":[]}` {
		t.Errorf("an order without notifications: %d %s", status, body)
	}
	id := string(e.OrderID)
	for _, query := range []string{"", "?orderId=", "?orderId=1", "?orderId=" + strings.ToUpper(id), "?orderId=" + id + "&x=1"} {
		if status, body := get(t, api, "/notifications"+query); status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
	if status, body := get(t, api, "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, body)
	}

	s.pool.Close()
	status, body = get(t, api, "/notifications?orderId="+string(e.OrderID))
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "/problems/unavailable") {
		t.Errorf("without the database: %d %s", status, body)
	}
}

// TestWhileTheDatabaseIsDownMessagesWait runs the real consumer on a store that is out of reach at first.
func TestWhileTheDatabaseIsDownMessagesWait(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	broker := rabbitmq.Config{URL: newBroker(t), Name: t.Name(), Log: discard()}
	p := newPublisher(t, broker.URL)
	n := newNotifier(s, discard())
	nowhere, err := pgdb.Open(t.Context(), "postgres://127.0.0.1:1/notifier") // nothing listens there
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	dead := &store{nowhere.Pool}
	var mu sync.Mutex
	var failed error
	c, err := rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config: broker, Queues: []string{rabbitmq.QueueConfirmed},
		Handle: func(ctx context.Context, batch []rabbitmq.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = newNotifier(dead, discard()).handle(ctx, batch)
				return failed
			}
			if batch[0].Attempt != 1 {
				t.Errorf("the outage used up an attempt")
			}
			return n.handle(ctx, batch)
		},
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	publish(t, p, event(1, order.Confirmed))
	awaitNotifications(t, s, 1)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if failed == nil {
		t.Error("the database was never out of reach")
	}
}
