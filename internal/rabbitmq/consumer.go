package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"
)

// MaxPrefetch bounds how many messages a worker holds without having acknowledged them: that many come again when the
// consumer dies, and wait behind a slow one.
const MaxPrefetch = 20

// ConsumerConfig says what is consumed and how. Queues and Handle must be set.
type ConsumerConfig struct {
	Config
	Queues []string // each must be in the topology
	Handle Handler
	// Workers is how many messages of each queue are handled at a time; 1 when zero. Only one worker keeps the order
	// of a queue, as long as nothing fails.
	Workers int
	// Prefetch is how many messages a worker has waiting; MaxPrefetch when zero.
	Prefetch int
	// HandlerTimeout bounds one call of Handle; 15 s when zero.
	HandlerTimeout time.Duration
}

func (c ConsumerConfig) withDefaults() (ConsumerConfig, error) {
	var err error
	if c.Config, err = c.Config.withDefaults(); err != nil {
		return c, err
	}
	if len(c.Queues) == 0 || c.Handle == nil {
		return c, errors.New("rabbitmq: a consumer needs queues and a handler")
	}
	if c.Prefetch < 0 || c.Prefetch > MaxPrefetch {
		return c, fmt.Errorf("rabbitmq: a prefetch of %d: want 1 to %d", c.Prefetch, MaxPrefetch)
	}
	if c.Prefetch == 0 {
		c.Prefetch = MaxPrefetch
	}
	if c.HandlerTimeout == 0 {
		c.HandlerTimeout = 15 * time.Second
	}
	c.Workers = max(c.Workers, 1)
	return c, nil
}

// Consumer hands messages to a Handler and sees to what becomes of them.
type Consumer struct {
	config     ConsumerConfig
	supervisor *supervisor
	failures   *failures
	log        *slog.Logger
}

// NewConsumer returns a consumer, which does nothing until it is run. Messages that fail are moved on by the publisher.
func NewConsumer(config ConsumerConfig, publisher *Publisher) (*Consumer, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Consumer{
		config:     config,
		supervisor: newSupervisor(config.Config, "consuming"),
		failures:   &failures{publisher: publisher, tiers: config.Topology.Tiers, log: config.Log},
		log:        config.Log,
	}
	c.supervisor.hopeless = func(err error) bool {
		var different *DifferentError
		return errors.As(err, &different)
	}
	return c, nil
}

// Ready returns nil while messages are consumed, otherwise what is wrong.
func (c *Consumer) Ready(context.Context) error { return c.supervisor.ready() }

// Run consumes until ctx is done; then it takes no more messages, finishes those that are being handled (at most
// HandlerTimeout and the time to move on one that failed), gives back the others and returns nil. It returns an error
// only for a *DifferentError, which no repetition can heal.
func (c *Consumer) Run(ctx context.Context) error { return c.supervisor.run(ctx, c.consume) }

// consume runs the workers on one connection.
func (c *Consumer) consume(ctx context.Context, s *session) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, queue := range c.config.Queues {
		for range c.config.Workers {
			g.Go(func() error {
				w, err := c.startWorker(s, queue)
				if err != nil {
					return fmt.Errorf("consume %s: %w", queue, err)
				}
				return w.run(ctx)
			})
		}
	}
	return g.Wait()
}

// worker handles the messages of one channel, one after the other. It belongs to one goroutine.
type worker struct {
	consumer   *Consumer
	session    *session
	queue      string
	ch         *amqp.Channel
	closed     chan *amqp.Error
	deliveries <-chan amqp.Delivery
}

// workerTag names the worker within its channel, which has no other.
const workerTag = "worker"

func (c *Consumer) startWorker(s *session, queue string) (*worker, error) {
	w := &worker{consumer: c, session: s, queue: queue}
	err := s.within(func() (err error) {
		if w.ch, err = s.conn.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		w.closed = w.ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := w.ch.Qos(c.config.Prefetch, 0, false); err != nil {
			return fmt.Errorf("set the prefetch: %w", err)
		}
		w.deliveries, err = w.ch.Consume(queue, workerTag, false, false, false, false, nil)
		return err
	})
	return w, err
}

// run returns when ctx is done, after the message in hand, or when the channel has ended.
func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case d, ok := <-w.deliveries:
			if !ok {
				return w.ended()
			}
			if err := w.consumer.process(ctx, w.queue, d); err != nil {
				return fmt.Errorf("settle message %s of %s: %w", d.MessageId, w.queue, err)
			}
		}
	}
	w.giveBack()
	return nil
}

// ended says why there are no more deliveries: the channel was closed, or only the consumer was cancelled, which is
// what happens when the queue is deleted.
func (w *worker) ended() error {
	if w.ch.IsClosed() {
		return fmt.Errorf("consume %s: %w", w.queue, closedBecause(<-w.closed))
	}
	return fmt.Errorf("the broker ended the consumption of %s; the queue was probably deleted", w.queue)
}

// giveBack returns the messages that were delivered but not started, so that another consumer gets them at once. On a
// connection that is lost the broker has already taken them back, and the calls return errors without effect.
func (w *worker) giveBack() {
	_ = w.session.within(func() error {
		if err := w.ch.Cancel(workerTag, false); err != nil {
			return err
		}
		for d := range w.deliveries {
			_ = d.Nack(false, true)
		}
		return w.ch.Close()
	})
}

// process sees one message through to its acknowledgement. An error means that the channel is of no more use.
func (c *Consumer) process(ctx context.Context, queue string, d amqp.Delivery) error {
	m := newMessage(queue, d)
	work := extract(ctx, d.Headers)
	err := c.handle(work, m)
	for tries := 0; isUnavailable(err); tries++ {
		pause := backoff(tries, unavailableBackoff)
		c.log.Warn("message waits in hand", "message_id", m.ID, "queue", queue, "error", err.Error(), "again_in", pause.String())
		if sleep(ctx, pause) != nil {
			return d.Nack(false, true)
		}
		err = c.handle(work, m)
	}
	if err == nil {
		return d.Ack(false)
	}
	if err := c.failures.move(ctx, m, d, err); err != nil {
		return d.Nack(false, true) // nobody has taken it: it stays where it is
	}
	return d.Ack(false)
}

// unavailableBackoff bounds the pause before a message in hand is tried again, and so how long it takes to notice that
// what was down is back.
const unavailableBackoff = 5 * time.Second

// handle calls the handler. It is not cancelled when the consumer stops or its connection is lost: work that has begun
// is worth finishing, and the next delivery of the message will find it done. A panic is a failure like others, so that
// one message cannot stop all.
func (c *Consumer) handle(ctx context.Context, m Message) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.config.HandlerTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("the handler panicked", "message_id", m.ID, "queue", m.Queue, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	return c.config.Handle(ctx, m)
}
