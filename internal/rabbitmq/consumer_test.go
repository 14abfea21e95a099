package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// effects stands for a consumer's database: it holds what has been done, by message ID.
type effects struct {
	mu       sync.Mutex
	done     map[string]int // how many times the handler got each message
	attempts []int
}

func (e *effects) record(m Message) (first bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = map[string]int{}
	}
	e.done[m.ID]++
	e.attempts = append(e.attempts, m.Attempt)
	return e.done[m.ID] == 1
}

func (e *effects) ids() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.done))
}

func (e *effects) times() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.attempts)
}

func (e *effects) seen() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.attempts)
}

func TestAHandledMessageIsGone(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	handled := make(chan Message, 1)
	stop := startConsumer(t, config, func(_ context.Context, m Message) error {
		handled <- m
		return nil
	})
	e := confirmed(1)
	publish(t, startPublisher(t, config), e)
	got := receive(t, "the message", handled)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	message, err := encode(e)
	if err != nil {
		t.Fatal(err)
	}
	want := Message{
		ID: e.MessageID(), Type: "ORDER_CONFIRMED", CorrelationID: string(e.OrderID), Queue: QueueConfirmed,
		Timestamp: e.OccurredAt.Truncate(time.Second), Attempt: 1, Body: message.Body,
	}
	got.Timestamp, got.Trace = got.Timestamp.UTC(), trace.SpanContext{} // trace_test.go tests the trace
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	areEmpty(t, config.URL, QueueConfirmed, DeadLetterQueue)
}

func TestPoisonIsDeadLetteredAtOnceWithItsReason(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	var calls effects
	startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		_, err := DecodeEvent(m)
		return err
	})
	ch := rabbitmqtest.Channel(t, config.URL)
	publisher := startPublisher(t, config)
	message := amqp.Publishing{
		MessageId: "m1", Type: "ORDER_CONFIRMED", CorrelationId: "c1", ContentType: "text/plain",
		Headers: amqp.Table{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, Body: []byte("hello"),
	}
	if err := publisher.send(t.Context(), Exchange, QueueConfirmed, message); err != nil {
		t.Fatal(err)
	}
	got := take(t, ch, DeadLetterQueue)
	failedAt, _ := got.Headers[HeaderFailed].(time.Time)
	if age := time.Since(failedAt); age < 0 || age > patience {
		t.Errorf("header %s is %v", HeaderFailed, got.Headers[HeaderFailed])
	}
	delete(got.Headers, HeaderFailed)
	want := message
	want.DeliveryMode = amqp.Persistent
	want.Headers = amqp.Table{
		"traceparent": message.Headers["traceparent"],
		HeaderAttempt: int32(1), HeaderQueue: QueueConfirmed,
		HeaderReason: "the body is not an event: invalid character 'h' looking for beginning of value",
	}
	if diff := cmp.Diff(want, again(got, nil)); diff != "" {
		t.Errorf("dead letter (-want +got):\n%s", diff)
	}
	if n := calls.times(); n != 1 {
		t.Errorf("the handler got it %d times", n)
	}
}

func TestAMessageThatKeepsFailingGoesThroughTheTiersToTheDeadLetters(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	var calls effects
	began := time.Now()
	startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		return errors.New("the mail server says 451 " + strings.Repeat("é", maxHeaderText))
	})
	e := confirmed(1)
	publish(t, startPublisher(t, config), e)
	got := take(t, rabbitmqtest.Channel(t, config.URL), DeadLetterQueue)
	if diff := cmp.Diff([]int{1, 2, 3}, calls.seen()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if waited := time.Since(began); waited < 150*time.Millisecond {
		t.Errorf("all attempts within %s: the tiers are 50 ms and 100 ms", waited)
	}
	reason, _ := got.Headers[HeaderReason].(string)
	if got.MessageId != e.MessageID() || got.Headers[HeaderAttempt] != int32(3) || !strings.HasPrefix(reason, "the mail server says 451 é") {
		t.Errorf("dead letter %s with headers %v", got.MessageId, got.Headers)
	}
}

func TestAMessageThatFailsOnceSucceedsLater(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	var calls effects
	stop := startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		switch m.Attempt {
		case 1:
			return errors.New("not today")
		case 2:
			panic("neither now")
		}
		return nil
	})
	publish(t, startPublisher(t, config), confirmed(1))
	eventually(t, "the third attempt", func() bool { return calls.times() == 3 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	areEmpty(t, config.URL, QueueConfirmed, DeadLetterQueue, TierName(config.Topology.Tiers[0]), TierName(config.Topology.Tiers[1]))
}

func TestAnOutageUsesUpNoAttempts(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	var calls effects
	startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		if calls.times() <= 3 { // more often than there are tiers
			return fmt.Errorf("store the notification: %w", Unavailable(errors.New("connection refused")))
		}
		return nil
	})
	publish(t, startPublisher(t, config), confirmed(1))
	eventually(t, "the fourth call", func() bool { return calls.times() == 4 })
	if diff := cmp.Diff([]int{1, 1, 1, 1}, calls.seen()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func TestAConnectionLostBetweenEffectAndAckBringsTheWholeBatchAgain(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	var want []string
	for n := range 5 {
		publishAtLast(t, p, confirmed(n))
		want = append(want, confirmed(n).MessageID())
	}
	var calls effects
	var lost atomic.Int64 // how many messages were in the batch whose acknowledgement failed
	startBatchConsumer(t, config, func(ctx context.Context, batch []Message) error {
		for _, m := range batch {
			calls.record(m)
		}
		if !lost.CompareAndSwap(0, int64(len(batch))) {
			return nil
		}
		if err := closeConnections(ctx, config.URL); err != nil {
			t.Errorf("close the connections: %v", err)
		}
		return nil // and then the acknowledgement fails
	})
	eventually(t, "the batch again", func() bool { return calls.times() >= len(want)+int(lost.Load()) && lost.Load() > 0 })
	if diff := cmp.Diff(want, calls.ids()); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
}

func TestMessagesPublishedWhileConnectionsBreakAreProcessed(t *testing.T) {
	t.Parallel()
	const publishers, each, resets = 12, 50, 10
	config := testConfig(t)
	broker := config.URL
	network := startProxy(t, &config)
	var calls effects
	stop := startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		return nil
	})
	p := startPublisher(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()

	quota := make(chan struct{}) // spreads the publishing over the disturbances
	var publishing errgroup.Group
	for i := range publishers {
		publishing.Go(func() error {
			for n := range each {
				<-quota
				if err := persist(ctx, p, confirmed(i*each+n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var want []string
	for n := range publishers * each {
		want = append(want, confirmed(n).MessageID())
		switch {
		case n == publishers*each/2:
			publishing.Go(func() error { return closeConnections(ctx, broker) })
		case n%(publishers*each/resets) == 0:
			network.cut()
		}
		select {
		case quota <- struct{}{}:
		case <-ctx.Done(): // and so the publishers fail
		}
	}
	close(quota)
	if err := publishing.Wait(); err != nil {
		t.Fatal(err)
	}
	ch := rabbitmqtest.Channel(t, broker)
	eventually(t, "all messages to be processed", func() bool {
		return len(calls.ids()) >= len(want) && count(t, ch, QueueConfirmed) == 0
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, calls.ids()); diff != "" {
		t.Errorf("processed (-published +processed):\n%s", diff)
	}
	for _, queue := range []string{QueueConfirmed, DeadLetterQueue} {
		if n := count(t, ch, queue); n != 0 {
			t.Errorf("%d messages in %s", n, queue)
		}
	}
	t.Logf("%d messages were handled %d times", len(want), calls.times())
}

func TestAQueueThatWasDeletedIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	var calls effects
	startConsumer(t, config, func(_ context.Context, m Message) error {
		calls.record(m)
		return nil
	})
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	eventually(t, "the first message", func() bool { return calls.times() == 1 })
	if _, err := rabbitmqtest.Channel(t, config.URL).QueueDelete(QueueConfirmed, false, false, false); err != nil {
		t.Fatal(err)
	}
	publishAtLast(t, p, confirmed(2))
	eventually(t, "the second message", func() bool { return calls.times() == 2 })
}

// While the consumer has work in hand, it does not reconnect yet. Readiness must not wait for that.
func TestAConsumerThatTheBrokerTookOffItsQueueIsNotReadyAndConsumesAgain(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	begun, finish := make(chan string, 5), make(chan struct{})
	c, err := NewConsumer(ConsumerConfig{
		Config: config, Queues: []string{QueueConfirmed, QueueCancelled},
		Handle: func(_ context.Context, batch []Message) error {
			begun <- batch[0].ID
			<-finish
			return nil
		},
	}, startPublisher(t, config))
	if err != nil {
		t.Fatal(err)
	}
	if c.Ready(t.Context()) == nil {
		t.Error("ready before it runs")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	eventually(t, "the consumer to be ready", func() bool { return c.Ready(t.Context()) == nil })
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	receive(t, "the first message", begun)
	if _, err := rabbitmqtest.Channel(t, config.URL).QueueDelete(QueueConfirmed, false, false, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness to say so", func() bool { return errors.Is(c.Ready(t.Context()), NotConsuming) })
	close(finish)
	eventually(t, "the consumer to be ready again", func() bool { return c.Ready(t.Context()) == nil })
	publishAtLast(t, p, confirmed(2))
	if id := receive(t, "the second message", begun); id != confirmed(2).MessageID() {
		t.Errorf("got %s", id)
	}
	stop()
	if err := receive(t, "the consumer's end", ended); err != nil {
		t.Error(err)
	}
}

func TestAStopFinishesTheBatchInHandAndGivesBackTheOthers(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	for n := range 5 {
		publish(t, p, confirmed(n))
	}
	begun, finish := make(chan int, 5), make(chan struct{})
	stop := startBatchConsumer(t, config, func(ctx context.Context, batch []Message) error {
		begun <- len(batch)
		<-finish
		return ctx.Err()
	})
	inHand := receive(t, "the first batch", begun)
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a batch in hand: %v", err)
	case <-time.After(20 * time.Millisecond): // a stop that does not wait returns sooner
	}
	close(finish)
	if err := receive(t, "the stop", stopped); err != nil {
		t.Fatal(err)
	}
	ch := rabbitmqtest.Channel(t, config.URL)
	eventually(t, "the other messages", func() bool { return count(t, ch, QueueConfirmed) == 5-inHand })
	if len(begun) != 0 {
		t.Error("the consumer started another batch after the stop")
	}
}

func TestTheBrokerDeadLettersAMessageThatKillsItsConsumerAgainAndAgain(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	publish(t, startPublisher(t, config), confirmed(1))
	conn, err := amqp.Dial(config.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deliveries := 0
	deadLetters := rabbitmqtest.Channel(t, config.URL)
	eventually(t, "the message to be dead-lettered", func() bool {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ch.Get(QueueConfirmed, false); err != nil {
			t.Fatal(err)
		} else if ok {
			deliveries++
		}
		if err := ch.Close(); err != nil { // dies with the message in hand
			t.Fatal(err)
		}
		return count(t, deadLetters, DeadLetterQueue) == 1
	})
	if deliveries != deliveryLimit+1 {
		t.Errorf("it was delivered %d times, want %d", deliveries, deliveryLimit+1)
	}
}
