package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/rabbitmq/rabbitmqtest"
)

// inbox stands for a consumer's database, which stores the message ID in the transaction of the effect.
type inbox struct {
	mu       sync.Mutex
	effects  map[string]int
	handled  int             // calls of handle
	poisoned map[string]bool // messages that can never work
}

func (i *inbox) handle(_ context.Context, m Message) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handled++
	if i.poisoned[m.ID] {
		return Poison(errors.New("it will never work"))
	}
	if i.effects[m.ID] == 0 {
		i.effects[m.ID]++
	}
	return nil
}

func (i *inbox) done() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.effects)
}

// world is a broker that is about to be disturbed, with a publisher and a consumer that use it.
type world struct {
	t      *testing.T
	broker *rabbitmqtest.Broker
	net    *proxy
	p      *Publisher
	inbox  *inbox
	paused sync.RWMutex // locked while publishing must stop
	sent   atomic.Int64 // confirmed publishes
}

// TestNoDisturbanceOfTheBrokerLosesAnEventOrRepeatsItsEffect publishes and consumes while a real broker is disturbed in one
// way after the other. After each disturbance, every published event has taken effect once or was dead-lettered once, and all
// queues are empty.
func TestNoDisturbanceOfTheBrokerLosesAnEventOrRepeatsItsEffect(t *testing.T) {
	t.Parallel()
	b := rabbitmqtest.Start(t)
	for _, d := range []struct {
		name    string
		disturb func(*world)
	}{
		{"nothing", func(*world) {}},
		{"stopped and started", func(w *world) { w.broker.Stop(); w.broker.Start() }},
		{"killed and started", func(w *world) { w.broker.Kill(); w.broker.Start() }},
		{"all connections closed", func(w *world) { w.broker.Control("close_all_connections", "maintenance") }},
		{"connections reset", func(w *world) { w.net.cut() }},
		{"the broker's frames lost", func(w *world) { w.net.dropFromBroker() }},
		{"all frames lost", func(w *world) { w.net.dropAll() }},
		{"out of memory", outOfMemory},
		{"queue deleted under the consumer", deleteQueue},
		{"unroutable", unroutable},
	} {
		if !t.Run(d.name, func(t *testing.T) { undergo(t, b, d.disturb) }) {
			return // all share the broker, so the others would only time out
		}
	}
}

func undergo(t *testing.T, b *rabbitmqtest.Broker, disturb func(*world)) {
	const publishers, atLeast = 8, 60
	config := Config{
		URL: b.URL, Name: t.Name(), Topology: testTopology(), Log: slog.New(slog.DiscardHandler), MaxBackoff: 500 * time.Millisecond,
	}
	w := &world{t: t, broker: b, inbox: &inbox{effects: map[string]int{}, poisoned: map[string]bool{}}}
	w.net = startProxy(t, &config)
	w.p = startPublisher(t, config)
	stop := startConsumer(t, config, w.inbox.handle)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var publishing errgroup.Group
	underWay, calm := make(chan struct{}), make(chan struct{})
	for i := range publishers {
		publishing.Go(func() error {
			for n := 0; n < atLeast || !isClosed(calm); n++ {
				if err := w.publish(ctx, i*100_000+n); err != nil {
					return err
				}
				if w.sent.Add(1) == publishers*atLeast/4 {
					close(underWay)
				}
				if n >= atLeast/4 {
					time.Sleep(10 * time.Millisecond) // a steady stream, for as long as the disturbance lasts
				}
			}
			return nil
		})
	}
	select {
	case <-underWay:
	case <-ctx.Done():
		t.Fatalf("only %d events were published: %v", w.sent.Load(), w.p.Ready(t.Context()))
	}
	disturb(w)
	close(calm)
	if err := publishing.Wait(); err != nil {
		t.Fatal(err)
	}
	w.settle(int(w.sent.Load()), stop)
}

// publish publishes an event until it is confirmed. Every 40th event is poison.
func (w *world) publish(ctx context.Context, n int) error {
	w.paused.RLock()
	defer w.paused.RUnlock()
	e := confirmed(n)
	if n%40 == 0 {
		w.inbox.mu.Lock()
		w.inbox.poisoned[e.MessageID()] = true
		w.inbox.mu.Unlock()
	}
	return persist(ctx, w.p, e)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// settle waits until every event is accounted for, and checks how.
func (w *world) settle(published int, stop func() error) {
	w.t.Helper()
	ch := rabbitmqtest.Channel(w.t, w.broker.URL)
	dead := map[string]int{}
	deadline := time.Now().Add(2 * time.Minute)
	for w.inbox.done()+len(dead) < published && time.Now().Before(deadline) {
		collect(w.t, ch, dead)
		time.Sleep(5 * time.Millisecond)
	}
	if err := stop(); err != nil { // gives back what it has not started
		w.t.Fatal(err)
	}
	for _, again := range w.rest(ch, dead) { // copies of messages that have taken effect
		_ = w.inbox.handle(w.t.Context(), again)
	}
	effects := slices.Sorted(maps.Keys(w.inbox.effects))
	if len(effects)+len(dead) != published {
		w.t.Errorf("%d events: %d took effect and %d are dead-lettered", published, len(effects), len(dead))
	}
	for id, n := range w.inbox.effects {
		if n != 1 || dead[id] != 0 || w.inbox.poisoned[id] {
			w.t.Errorf("%s took effect %d times and was dead-lettered %d times", id, n, dead[id])
		}
	}
	for _, queue := range allQueues() {
		eventually(w.t, "an empty "+queue, func() bool { return count(w.t, ch, queue) == 0 })
	}
	w.t.Logf("%d events were handled %d times; %d dead-lettered", published, w.inbox.handled, len(dead))
}

// rest takes the messages that are still in the queue after the consumer's stop.
func (w *world) rest(ch *amqp.Channel, dead map[string]int) (copies []Message) {
	w.t.Helper()
	for quietFor := 0; quietFor < 20; quietFor++ {
		d, ok, err := ch.Get(QueueConfirmed, true)
		if err != nil {
			w.t.Fatal(err)
		}
		if ok {
			m := newMessage(QueueConfirmed, d)
			if w.inbox.poisoned[m.ID] {
				dead[m.ID]++ // where the consumer would have moved it
			} else {
				copies = append(copies, m)
			}
			quietFor = 0
		}
		collect(w.t, ch, dead)
		time.Sleep(5 * time.Millisecond)
	}
	return copies
}

// collect takes the dead letters.
func collect(t *testing.T, ch *amqp.Channel, dead map[string]int) {
	t.Helper()
	for {
		d, ok, err := ch.Get(DeadLetterQueue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		dead[d.MessageId]++
	}
}

func outOfMemory(w *world) {
	defer w.broker.Control("set_vm_memory_high_watermark", "0.6")
	w.broker.Control("set_vm_memory_high_watermark", "absolute", "1MB")
	eventually(w.t, "the broker to ask for a pause", func() bool {
		return errors.Is(w.p.Ready(w.t.Context()), Paused)
	})
	before := w.sent.Load()
	ctx, cancel := context.WithTimeout(w.t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := w.p.Publish(ctx, confirmed(1)); !errors.Is(err, ErrNotSent) && !errors.Is(err, ErrUnknown) {
		w.t.Errorf("during the pause: got %v, want ErrNotSent or ErrUnknown", err)
	}
	if after := w.sent.Load(); after-before > confirmChannels {
		w.t.Errorf("%d events were published during the pause", after-before)
	}
}

// deleteQueue deletes the queue while it is empty, because a deleted queue loses its messages.
func deleteQueue(w *world) {
	w.paused.Lock()
	defer w.paused.Unlock()
	ch := rabbitmqtest.Channel(w.t, w.broker.URL)
	eventually(w.t, "everything to be processed", func() bool {
		w.inbox.mu.Lock()
		defer w.inbox.mu.Unlock()
		return int64(w.inbox.handled) >= w.sent.Load() && count(w.t, ch, QueueConfirmed) == 0
	})
	time.Sleep(100 * time.Millisecond) // the last acknowledgements may still be on their way, and no event shows their arrival
	if _, err := ch.QueueDelete(QueueConfirmed, false, false, false); err != nil {
		w.t.Error(err)
	}
}

func unroutable(w *world) {
	ch := rabbitmqtest.Channel(w.t, w.broker.URL)
	for range 5 {
		if err := ch.QueueUnbind(QueueConfirmed, QueueConfirmed, Exchange, nil); err != nil {
			w.t.Error(err)
		}
		time.Sleep(20 * time.Millisecond) // how long the queue stays unbound
	}
}

func testTopology() Topology {
	return Topology{Queues: DefaultTopology().Queues, Tiers: []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}}
}

func allQueues() []string {
	queues := append(slices.Clone(DefaultTopology().Queues), DeadLetterQueue)
	for _, tier := range testTopology().Tiers {
		queues = append(queues, TierName(tier))
	}
	return queues
}
