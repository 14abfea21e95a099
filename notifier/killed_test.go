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
)

// TestKilledBetweenEffectAndAckTheNextProcessDropsTheMessage: the effect is committed, the acknowledgement never arrives,
// the process is killed. The message comes again, to another process, and changes nothing.
func TestKilledBetweenEffectAndAckTheNextProcessDropsTheMessage(t *testing.T) {
	t.Parallel()
	s, databaseURL := newStore(t)
	broker := newBroker(t)
	line := startLine(t, broker)
	environ := []string{"NOTIFIER_DATABASE_URL=" + databaseURL, "NOTIFIER_RETRY_TIERS=20ms,40ms", "NOTIFIER_WORKERS=1", "LOG_LEVEL=DEBUG"}
	first := startProcess(t, append(environ, "RABBITMQ_URL="+line.url)...)
	eventually(t, "the notifier to consume", func() bool { return consumers(t, broker, rabbitmq.QueueConfirmed) == 1 })

	line.mute.Store(true)
	publish(t, newPublisher(t, broker), event(1, order.Confirmed))
	eventually(t, "the effect", func() bool {
		_, notifications, err := s.counts(t.Context())
		return err == nil && notifications == 1
	})
	kill(t, first)

	second := startProcess(t, append(environ, "RABBITMQ_URL="+broker)...)
	eventually(t, "the message again", func() bool { return strings.Contains(second.output(), "seen before, dropped") })
	checkCounts(t, s, 1)
	for _, name := range []string{rabbitmq.QueueConfirmed, rabbitmq.DeadLetterQueue, "retry.20ms", "retry.40ms"} {
		eventually(t, "an empty "+name, func() bool {
			ready, held := queue(t, broker, name)
			return ready == 0 && held == 0
		})
	}
}

// consumers returns how many consumers the queue has, none when it does not exist.
func consumers(t *testing.T, brokerURL, name string) int {
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
	q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	if err != nil {
		return 0
	}
	return q.Consumers
}

// line carries a program's connections to the broker. While it is mute, what the program says is lost.
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

// carry ends both connections when one of them has ended.
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
