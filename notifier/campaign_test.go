//go:build long

package notifier

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

// TestCampaign publishes 10,000 events to the real consumer on a real database, and disturbs its own broker 20 times
// meanwhile. Each event leads to one notification and one delivery, none is dead-lettered, and all queues end empty.
func TestCampaign(t *testing.T) {
	const events, publishers, disturbances = 10_000, 8, 20
	s, _ := newStore(t)
	b := rabbitmqtest.Start(t)
	config := rabbitmq.Config{URL: b.URL, Name: t.Name(), Log: discard(), MaxBackoff: time.Second}
	p := newPublisher(t, b.URL)
	var handled atomic.Int64
	n := newNotifier(s, discard())
	c, err := rabbitmq.NewConsumer(rabbitmq.ConsumerConfig{
		Config: config, Queues: []string{rabbitmq.QueueConfirmed}, Workers: 4,
		Handle: func(ctx context.Context, batch []rabbitmq.Message) error {
			handled.Add(int64(len(batch)))
			return n.handle(ctx, batch)
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
	published := make(chan struct{}) // receives at each point at which the broker is disturbed
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
	servicestest.Eventually(t, 3*time.Minute, "all notifications", func() bool {
		notifications, _, err := s.counts(t.Context())
		return err == nil && notifications >= events
	})
	checkCounts(t, s, events)
	for _, name := range []string{
		rabbitmq.QueueConfirmed, rabbitmq.DeadLetterQueue, "retry.5s", "retry.30s", "retry.2m", "retry.10m",
	} {
		eventually(t, "an empty "+name, func() bool { return ready(t, b.URL, name) == 0 })
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("%d events, disturbed %v times by kind (stop, kill, close, memory): %d publishes repeated, %d messages handled",
		events, seen, again.Load(), handled.Load())
}

// disturb disturbs the broker and heals it, while events are published.
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
