package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
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
		if err := n.handle(t.Context(), message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ofOrder(t.Context(), e.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	want := []notification{{
		MessageID: "0197a4b2-6c1e-7d3f-8a55-000000000001.ORDER_CANCELLED", OrderID: e.OrderID, UserID: 42, Audience: "customer", Type: "ORDER_CANCELLED",
		Text: "We could not complete your order 0197a4b2-6c1e-7d3f-8a55-000000000001. Your card was declined. You pay nothing for it.",
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

func TestCopiesThatAreHandledAtOnceTellTheCustomerOnce(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	n := newNotifier(s, discard())
	var copies errgroup.Group
	for range 8 {
		m := message(t, event(1, order.Confirmed))
		copies.Go(func() error { return n.handle(t.Context(), m) })
	}
	if err := copies.Wait(); err != nil {
		t.Fatal(err)
	}
	checkCounts(t, s, 1)
}

func TestANotificationThatCannotBeWrittenLeavesNoTraceInTheInbox(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	note := notification{MessageID: "m1", OrderID: event(1, order.Confirmed).OrderID, UserID: 42, Audience: forCustomer, Type: "ORDER_CONFIRMED"}
	nothing := func(entry) []delivery { return nil }
	if _, err := s.record(t.Context(), note, nothing); err == nil {
		t.Fatal("a notification without text was accepted")
	}
	checkCounts(t, s, 0)
	note.Text = "Hello"
	if first, err := s.record(t.Context(), note, nothing); err != nil || !first {
		t.Errorf("after that: first %v, error %v", first, err)
	}
	checkCounts(t, s, 1)
}

func TestOrdersAreAnsweredByWhatTheirCustomersWereTold(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	e := event(1, order.Confirmed)
	if err := newNotifier(s, discard()).handle(t.Context(), message(t, e)); err != nil {
		t.Fatal(err)
	}
	api := newAPI(s, map[string]httpserver.Check{"database": s.pool.Ping}, discard())

	status, body := get(t, api, "/notifications?orderId="+string(e.OrderID))
	var got struct{ Notifications []notification }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || len(got.Notifications) != 1 {
		t.Fatalf("answered %d (%v): %s", status, err, body)
	}
	if n := got.Notifications[0]; n.MessageID != e.MessageID() || n.Type != "ORDER_CONFIRMED" {
		t.Errorf("notification %+v", n)
	}
	status, body = get(t, api, "/notifications?orderId="+string(event(2, order.Confirmed).OrderID))
	if status != http.StatusOK || body != `{"notifications":[]}` {
		t.Errorf("an order without notifications: %d %s", status, body)
	}
	for _, query := range []string{"", "?orderId=", "?orderId=1", "?orderId=" + strings.ToUpper(string(e.OrderID)), "?orderId=" + string(e.OrderID) + "&x=1"} {
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

// TestWhileTheDatabaseIsDownMessagesWait runs the real consumer on a store that cannot be reached at first.
func TestWhileTheDatabaseIsDownMessagesWait(t *testing.T) {
	t.Parallel()
	s, _ := newStore(t)
	broker := rabbitmq.Config{URL: newBroker(t), Name: t.Name(), Log: discard()}
	p := newPublisher(t, broker.URL)
	n := newNotifier(s, discard())
	nowhere, err := pgdb.Open(t.Context(), "postgres://127.0.0.1:1/notifier") // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	dead := &store{nowhere}
	var mu sync.Mutex
	var failed error
	c, err := rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config: broker, Queues: []string{rabbitmq.QueueConfirmed},
		Handle: func(ctx context.Context, m rabbitmq.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = newNotifier(dead, discard()).handle(ctx, m)
				return failed
			}
			if m.Attempt != 1 {
				t.Errorf("the outage used up an attempt")
			}
			return n.handle(ctx, m)
		},
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	publish(t, p, event(1, order.Confirmed))
	eventually(t, "the notification", func() bool {
		_, notifications, err := s.counts(t.Context())
		return err == nil && notifications == 1
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if failed == nil {
		t.Error("the database was never down")
	}
}
