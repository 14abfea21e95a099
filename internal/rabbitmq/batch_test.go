package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// startBusyConsumer starts a consumer whose handler is busy with the event 0 until release is called.
func startBusyConsumer(t *testing.T, config Config, p *Publisher, handle Handler) (release func()) {
	t.Helper()
	busy, released := make(chan struct{}), make(chan struct{})
	startBatchConsumer(t, config, func(ctx context.Context, batch []Message) error {
		if batch[0].ID == confirmed(0).MessageID() {
			close(busy)
			<-released
		}
		return handle(ctx, batch)
	})
	publish(t, p, confirmed(0))
	receive(t, "the first message", busy)
	return func() { close(released) }
}

// publishBatch publishes all messages but the first, and waits until the busy consumer has prefetched them.
func publishBatch(t *testing.T, config Config, p *Publisher, messages int) {
	t.Helper()
	for n := 1; n < messages; n++ {
		publish(t, p, confirmed(n))
	}
	ch := rabbitmqtest.Channel(t, config.URL)
	eventually(t, "all messages to be prefetched", func() bool { return count(t, ch, QueueConfirmed) == 0 })
}

func TestWhatArrivesWhileTheHandlerIsBusyIsOneBatch(t *testing.T) {
	t.Parallel()
	const messages = MaxPrefetch // the first, and what can be prefetched beside it
	config := testConfig(t)
	p := startPublisher(t, config)
	sizes := make(chan int, messages)
	release := startBusyConsumer(t, config, p, func(_ context.Context, batch []Message) error {
		sizes <- len(batch)
		return nil
	})
	publishBatch(t, config, p, messages)
	release()
	batches := 0
	for handled := 0; handled < messages; batches++ {
		handled += receive(t, "a batch", sizes)
	}
	if batches > 3 { // the first message, the others, and those that were still on their way
		t.Errorf("%d messages were handled in %d batches", messages, batches)
	}
}

func TestABatchIsAtMostThePrefetchInTheOrderOfDelivery(t *testing.T) {
	t.Parallel()
	w := &worker{consumer: &Consumer{}, prefetched: make(chan amqp.Delivery, 3)}
	deliveries := make(chan amqp.Delivery)
	go w.prefetch(deliveries)
	for tag := range 3 {
		deliveries <- amqp.Delivery{DeliveryTag: uint64(tag + 1)}
	}
	close(deliveries)
	batch := w.batch(amqp.Delivery{})
	for len(batch) < 3 { // the last one may still be on its way
		batch = append(batch, w.batch(receive(t, "a delivery", w.prefetched))...)
	}
	for i, d := range batch {
		if d.DeliveryTag != uint64(i) {
			t.Errorf("delivery %d has tag %d", i, d.DeliveryTag)
		}
	}
}

func TestAMessageThatFailsInABatchHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	const messages, poisoned, failing = 10, 4, 6
	config := testConfig(t)
	p := startPublisher(t, config)
	var done effects
	release := startBusyConsumer(t, config, p, func(_ context.Context, batch []Message) error {
		for _, m := range batch { // all or nothing, so the mistakes are found first
			switch {
			case m.ID == confirmed(poisoned).MessageID():
				return Poison(errors.New("it will never work"))
			case m.ID == confirmed(failing).MessageID() && m.Attempt == 1:
				return errors.New("not today")
			}
		}
		for _, m := range batch {
			done.record(m)
		}
		return nil
	})
	var want []string
	for n := 1; n < messages; n++ {
		publish(t, p, confirmed(n))
	}
	for n := range messages {
		if n != poisoned {
			want = append(want, confirmed(n).MessageID())
		}
	}
	ch := rabbitmqtest.Channel(t, config.URL)
	eventually(t, "all messages to be prefetched", func() bool { return count(t, ch, QueueConfirmed) == 0 })
	release()
	eventually(t, "all but the poison", func() bool { return done.times() >= len(want) })
	if diff := cmp.Diff(want, done.ids()); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if second := slices.DeleteFunc(done.seen(), func(attempt int) bool { return attempt == 1 }); len(second) != 1 {
		t.Errorf("%d messages went through a retry tier, want only the one that failed", len(second))
	}
	if got := take(t, ch, DeadLetterQueue); got.MessageId != confirmed(poisoned).MessageID() || got.Headers[HeaderAttempt] != int32(1) {
		t.Errorf("dead letter %s with headers %v", got.MessageId, got.Headers)
	}
}

func TestAnOutageKeepsTheBatchInHand(t *testing.T) {
	t.Parallel()
	const messages = 10
	config := testConfig(t)
	p := startPublisher(t, config)
	var done effects
	outages := 0
	release := startBusyConsumer(t, config, p, func(_ context.Context, batch []Message) error {
		if len(batch) > 1 && outages < 4 { // more times than there are tiers
			outages++
			return Unavailable(errors.New("connection refused"))
		}
		for _, m := range batch {
			done.record(m)
		}
		return nil
	})
	publishBatch(t, config, p, messages)
	release()
	eventually(t, "all messages", func() bool { return done.times() >= messages })
	for _, attempt := range done.seen() {
		if attempt != 1 {
			t.Errorf("the outage used up an attempt: %v", done.seen())
		}
	}
	if done.times() != messages {
		t.Errorf("%d messages were handled %d times", messages, done.times())
	}
}
