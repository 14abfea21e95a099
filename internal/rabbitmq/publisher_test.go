package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
	"github.com/ordersaga/ordersaga/internal/servicestest"
)

func TestAConfirmedEventIsInItsQueue(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	e := confirmed(1)
	publish(t, startPublisher(t, config), e)
	publish(t, startPublisher(t, config), e) // unsure publishers repeat themselves

	ch := rabbitmqtest.Channel(t, config.URL)
	for range 2 {
		got := take(t, ch, QueueConfirmed)
		want, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		want.Timestamp = e.OccurredAt.Truncate(time.Second) // AMQP knows seconds
		if diff := cmp.Diff(want, again(got, nil), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("message (-published +in the queue):\n%s", diff)
		}
		if got.DeliveryMode != amqp.Persistent {
			t.Error("the message would not survive a restart of the broker")
		}
	}
	if n := count(t, ch, QueueCancelled); n != 0 {
		t.Errorf("%d messages in %s", n, QueueCancelled)
	}
}

func TestAnEventThatNoQueueTakesIsRefused(t *testing.T) {
	t.Parallel()
	p := startPublisher(t, testConfig(t))
	e := confirmed(1)
	e.Type = "ORDER_LOST"
	if err := p.Publish(t.Context(), e); !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v, want ErrRefused", err)
	}
	publish(t, p, confirmed(1))
}

func TestADamagedTopologyIsRepaired(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	ch := rabbitmqtest.Channel(t, config.URL)

	if err := ch.QueueUnbind(QueueConfirmed, QueueConfirmed, Exchange, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), confirmed(2)); !errors.Is(err, ErrRefused) {
		t.Fatalf("without its binding: got %v, want ErrRefused", err)
	}
	publish(t, p, confirmed(2))

	if err := ch.ExchangeDelete(Exchange, false, false); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), confirmed(3)); !errors.Is(err, ErrRefused) {
		t.Fatalf("without the exchange: got %v, want ErrRefused", err)
	}
	publish(t, p, confirmed(3))
	eventually(t, "three messages", func() bool { return count(t, ch, QueueConfirmed) == 3 })
}

func TestWithoutABrokerNothingIsSent(t *testing.T) {
	t.Parallel()
	p := startPublisher(t, Config{
		URL: "amqp://orders:s3cret@127.0.0.1:1/", // nothing listens there
		Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := p.Publish(ctx, confirmed(1))
	if !errors.Is(err, ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want ErrNotSent at its deadline", err)
	}
	if !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error should say why and show no password: %v", err)
	}
	if p.Ready(ctx) == nil {
		t.Error("ready without a connection")
	}
}

func TestAClosedPublisherSendsNothing(t *testing.T) {
	t.Parallel()
	p := startPublisher(t, testConfig(t))
	publish(t, p, confirmed(1))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), confirmed(2)); !errors.Is(err, ErrNotSent) {
		t.Errorf("got %v, want ErrNotSent", err)
	}
}

func TestAMissingConfirmMeansUnknown(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	broker := config.URL
	proxy := startProxy(t, &config)
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))

	proxy.dropFromBroker()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := p.Publish(ctx, confirmed(2)); !errors.Is(err, ErrUnknown) {
		t.Fatalf("got %v, want ErrUnknown", err)
	}
	ch := rabbitmqtest.Channel(t, broker)
	eventually(t, "the message whose confirm was lost", func() bool { return count(t, ch, QueueConfirmed) == 2 })

	proxy.cut() // resets the present connections; new ones work
	publishAtLast(t, p, confirmed(2))
	if n := count(t, ch, QueueConfirmed); n < 3 {
		t.Errorf("%d messages, want at least 3: the second one twice, under the same ID", n)
	}
}

func TestANackMeansUnknown(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	full(t, config.URL)
	// The broker counts a message a little after it has accepted it.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	for err == nil {
		err = p.Publish(ctx, confirmed(2))
	}
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "could not store it") {
		t.Errorf("into a full queue: got %v, want ErrUnknown", err)
	}
	ch := rabbitmqtest.Channel(t, config.URL)
	if _, err := ch.QueuePurge(QueueConfirmed, false); err != nil {
		t.Fatal(err)
	}
	publishAtLast(t, p, confirmed(2)) // on the same channel
}

// full limits the event queues of the test's virtual host to one message.
func full(t *testing.T, brokerURL string) {
	t.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	policy := `{"pattern": "^ORDER_", "definition": {"max-length": 1}, "apply-to": "queues"}`
	servicestest.ManageRabbitMQ(t, http.MethodPut, "policies"+u.Path+"/full", policy, nil)
}

func TestAWriteThatIsNotReadTimesOut(t *testing.T) {
	t.Parallel()
	us, them := net.Pipe() // without a buffer: nothing is written before it is read
	defer them.Close()
	s := &socket{Conn: us, timeout: 20 * time.Millisecond, keep: func() bool { return true }}
	defer s.kill()
	if _, err := s.Write([]byte("hello")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want an exceeded deadline", err)
	}
}

func TestABrokerThatFallsSilentIsTakenToBeGone(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	proxy := startProxy(t, &config)
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	proxy.dropFromBroker()
	eventually(t, "the loss to be noticed", func() bool { return p.Ready(t.Context()) != nil })
	publish(t, p, confirmed(2))
}

func TestWhileTheBrokerAsksForAPauseNothingIsSent(t *testing.T) {
	t.Parallel()
	const blocked, unblocked, reason = 60, 61, "\x0dlow on memory"
	config := testConfig(t)
	broker := config.URL
	proxy := startProxy(t, &config)
	p := startPublisher(t, config)
	publish(t, p, confirmed(1))
	sent := 1

	proxy.say(t, blocked, reason)
	eventually(t, "the pause", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := p.Publish(ctx, confirmed(1+sent))
		if err == nil || errors.Is(err, ErrUnknown) { // was sent before the broker's request arrived
			sent++
		}
		return errors.Is(err, ErrNotSent)
	})
	if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "low on memory") {
		t.Errorf("readiness says %v, not the broker's reason", err)
	}
	ch := rabbitmqtest.Channel(t, broker)
	eventually(t, "what was sent", func() bool { return count(t, ch, QueueConfirmed) == sent })

	waiting := make(chan error, 1)
	go func() { waiting <- p.Publish(t.Context(), confirmed(1+sent)) }()
	proxy.say(t, unblocked, "")
	if err := <-waiting; err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestAURLThatCannotBeParsedIsNotShown(t *testing.T) {
	t.Parallel()
	_, err := NewPublisher(Config{URL: "amqp://orders:s3cret@127.0.0.1:none/", Log: slog.New(slog.DiscardHandler)})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}
