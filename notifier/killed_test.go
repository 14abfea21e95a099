package notifier

import (
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// TestKilledBetweenEffectAndAckTheNextProcessDropsTheMessages: the effects are committed, the acknowledgement never
// arrives, the process is killed. The messages come again, to another process, and change nothing.
func TestKilledBetweenEffectAndAckTheNextProcessDropsTheMessages(t *testing.T) {
	t.Parallel()
	const events = 5
	s, databaseURL := newStore(t)
	broker := newBroker(t)
	line := startLine(t, broker)
	environ := []string{
		"NOTIFIER_DATABASE_URL=" + databaseURL, "NOTIFIER_RETRY_TIERS=20ms,40ms", "NOTIFIER_WORKERS=1", "LOG_LEVEL=DEBUG",
	}
	first := startProcess(t, append(environ, "RABBITMQ_URL="+line.url)...)
	eventually(t, "the notifier to consume", func() bool { return consumers(t, broker, rabbitmq.QueueConfirmed) == 1 })

	line.mute.Store(true)
	p := newPublisher(t, broker)
	for n := range events {
		publish(t, p, event(n, order.Confirmed))
	}
	awaitNotifications(t, s, events)
	kill(t, first)

	second := startProcess(t, append(environ, "RABBITMQ_URL="+broker)...)
	eventually(t, "the messages again", func() bool {
		return strings.Count(second.output.String(), "seen before or overtaken, dropped") == events
	})
	checkCounts(t, s, events)
	for _, name := range []string{rabbitmq.QueueConfirmed, rabbitmq.DeadLetterQueue, "retry.20ms", "retry.40ms"} {
		eventually(t, "an empty "+name, func() bool {
			ready, held := queue(t, broker, name)
			return ready == 0 && held == 0
		})
	}
}

// consumers returns how many consumers the queue has.
func consumers(t *testing.T, brokerURL, name string) int {
	return declared(t, brokerURL, name).Consumers
}

// ready returns how many messages of the queue no consumer holds.
func ready(t *testing.T, brokerURL, name string) int { return declared(t, brokerURL, name).Messages }

// declared returns the broker's present view of the queue; the zero value if it does not exist.
func declared(t *testing.T, brokerURL, name string) (q amqp.Queue) {
	t.Helper()
	ch, hangUp := rabbitmqtest.Open(t, brokerURL)
	defer hangUp()
	q, _ = ch.QueueDeclarePassive(name, true, false, false, false, nil) // an error means that it does not exist
	return q
}

// line carries a program's connections to the broker. While it is mute, it drops what the program sends.
type line struct {
	url  string
	mute atomic.Bool

	mu    sync.Mutex
	conns []net.Conn
	wait  sync.WaitGroup
}

func startLine(t *testing.T, brokerURL string) *line {
	t.Helper()
	u, err := url.Parse(brokerURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, broker := &line{}, u.Host
	u.Host = listener.Addr().String()
	l.url = u.String()
	l.wait.Go(func() {
		for {
			program, err := listener.Accept()
			if err != nil {
				return
			}
			l.carry(program, broker)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		for _, c := range l.conns {
			_ = c.Close()
		}
		l.mu.Unlock()
		l.wait.Wait()
	})
	return l
}

// carry closes both connections when one of them has ended.
func (l *line) carry(program net.Conn, brokerAddress string) {
	broker, err := net.Dial("tcp", brokerAddress)
	if err != nil {
		_ = program.Close()
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, program, broker)
	l.mu.Unlock()
	l.wait.Go(func() {
		defer broker.Close()
		_, _ = io.Copy(unlessMute{broker, &l.mute}, program)
	})
	l.wait.Go(func() {
		defer program.Close()
		_, _ = io.Copy(program, broker)
	})
}

type unlessMute struct {
	io.Writer
	mute *atomic.Bool
}

func (w unlessMute) Write(b []byte) (int, error) {
	if w.mute.Load() {
		return len(b), nil
	}
	return w.Writer.Write(b)
}
