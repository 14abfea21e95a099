//go:build long

package notifier

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// TestCampaign publishes 10,000 events while a broker of its own is disturbed 20 times, into the real consumer on a real
// database: each leads to one notification and one delivery, none is dead-lettered, and all queues are empty.
func TestCampaign(t *testing.T) {
	const events, publishers, disturbances = 10_000, 8, 20
	s, _ := newStore(t)
	b := rabbitmqtest.Start(t)
	config := rabbitmq.Config{URL: b.URL, Name: t.Name(), Log: discard(), MaxBackoff: time.Second}
	p := newPublisher(t, b.URL)
	var handed atomic.Int64
	n := newNotifier(s, discard())
	c, err := rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config: config, Queues: []string{rabbitmq.QueueConfirmed}, Workers: 4,
		Handle: func(ctx context.Context, m rabbitmq.Message) error {
			handed.Add(1)
			return n.handle(ctx, m)
		},
	}, newPublisher(t, b.URL))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()

	quota := make(chan int)
	var again atomic.Int64 // publishes whose outcome was not "confirmed"
	var publishing errgroup.Group
	for range publishers {
		publishing.Go(func() error {
			for n := range quota {
				for p.Publish(t.Context(), event(n, order.Confirmed)) != nil {
					again.Add(1)
				}
			}
			return t.Context().Err()
		})
	}
	published := make(chan struct{}) // at the points at which the broker is disturbed
	go func() {
		defer close(published)
		for n := range events {
			if n%(events/disturbances) == events/disturbances/2 {
				published <- struct{}{}
			}
			quota <- n
		}
		close(quota)
	}()
	seen := map[int]int{}
	for range published {
		kind := rand.N(4)
		seen[kind]++
		disturb(t, b, kind)
	}
	if err := publishing.Wait(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(3 * time.Minute)
	for inbox := 0; inbox < events && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if inbox, _, err = s.counts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	checkCounts(t, s, events)
	if got := len(outbox(t, s)); got != events {
		t.Errorf("%d deliveries, want %d", got, events)
	}
	for _, name := range []string{rabbitmq.QueueConfirmed, rabbitmq.DeadLetterQueue, "retry.5s", "retry.30s", "retry.2m", "retry.10m"} {
		awaitEmpty(t, b.URL, name)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("%d events, disturbed %v times by kind (stop, kill, close, memory): %d publishes repeated, %d messages handed over",
		events, seen, again.Load(), handed.Load())
}

// disturb hurts the broker and heals it, while events are published.
func disturb(t *testing.T, b *rabbitmqtest.Broker, kind int) {
	t.Helper()
	switch kind {
	case 0:
		b.Stop()
		b.Start()
	case 1:
		b.Kill()
		b.Start()
	case 2:
		b.Control("close_all_connections", "maintenance")
	case 3:
		b.Control("set_vm_memory_high_watermark", "absolute", "1MB")
		b.Control("set_vm_memory_high_watermark", "0.6")
	}
}

// awaitEmpty waits until nobody has a message of the queue in hand, and there is none.
func awaitEmpty(t *testing.T, brokerURL, name string) {
	t.Helper()
	conn, err := amqp.Dial(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an empty "+name, func() bool {
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		return q.Messages == 0
	})
}
