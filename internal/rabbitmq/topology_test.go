package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestDeclaringTwiceAndConcurrentlyIsHarmless(t *testing.T) {
	t.Parallel()
	url := servicestest.RabbitMQ(t)
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { return DefaultTopology().declare(conn) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := DefaultTopology().declare(conn); err != nil {
		t.Fatal(err)
	}
}

func TestAQueueWithOtherArgumentsIsNamed(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	if _, err := rabbitmqtest.Channel(t, config.URL).QueueDeclare(QueueConfirmed, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	p := startPublisher(t, config)
	c, err := NewConsumer(ConsumerConfig{
		Config: config, Queues: []string{QueueConfirmed}, Handle: func(context.Context, []Message) error { return nil },
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	var different *DifferentError
	if err := c.Run(t.Context()); !errors.As(err, &different) || different.Name != QueueConfirmed {
		t.Fatalf("the consumer returned %v, want a *DifferentError about %s", err, QueueConfirmed)
	}
	for _, word := range []string{"ORDER_CONFIRMED exists in RabbitMQ with other arguments", "delete it", "dlx", "current is none"} {
		if !strings.Contains(different.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, different)
		}
	}
	eventually(t, "the publisher to say the same", func() bool { return errors.As(p.Ready(t.Context()), &different) })
}

func TestTiersAreNamedByTheirDelay(t *testing.T) {
	t.Parallel()
	got := map[time.Duration]string{}
	for _, d := range append(DefaultTopology().Tiers, 50*time.Millisecond, time.Hour, 90*time.Second) {
		got[d] = TierName(d)
	}
	want := map[time.Duration]string{
		5 * time.Second: "retry.5s", 30 * time.Second: "retry.30s", 2 * time.Minute: "retry.2m", 10 * time.Minute: "retry.10m",
		50 * time.Millisecond: "retry.50ms", time.Hour: "retry.1h", 90 * time.Second: "retry.1m30s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestImpossibleTiersAreRejected(t *testing.T) {
	t.Parallel()
	if err := DefaultTopology().Validate(); err != nil {
		t.Error(err)
	}
	for name, tiers := range map[string][]time.Duration{
		"none": {0}, "negative": {-time.Second}, "too fine": {1500 * time.Microsecond}, "too long": {25 * time.Hour},
		"twice": {time.Second, time.Minute, time.Second},
	} {
		topology := Topology{Queues: DefaultTopology().Queues, Tiers: tiers}
		if err := topology.Validate(); err == nil {
			t.Errorf("%s: %v is accepted", name, tiers)
		}
		if _, err := NewPublisher(Config{URL: "amqp://127.0.0.1:1/", Topology: topology, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s: a publisher takes %v", name, tiers)
		}
	}
}

func TestPausesGrowToTheirBound(t *testing.T) {
	t.Parallel()
	for failures := range 100 {
		bound := min(baseBackoff<<min(failures, 16), time.Second)
		if pause := backoff(failures, time.Second); pause <= 0 || pause > bound+time.Millisecond {
			t.Errorf("after %d failures: %s, want at most %s", failures, pause, bound)
		}
	}
}
