package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/readiness"
)

// MaxPrefetch bounds how many unacknowledged messages a worker holds, and so the size of a batch. If the consumer dies,
// the broker delivers that many again.
const MaxPrefetch = 20

// handlerTimeout bounds one call of a Handler.
const handlerTimeout = 15 * time.Second

// ConsumerConfig says what to consume and how. Queues and Handle must be set.
type ConsumerConfig struct {
	Config
	Queues []string // each must be in the topology
	Handle Handler
	// Workers is how many batches of each queue are handled at the same time; 1 when zero. Only a single worker keeps
	// the order of a queue, and only while nothing fails.
	Workers int
}

func (c ConsumerConfig) withDefaults() (ConsumerConfig, error) {
	var err error
	if c.Config, err = c.Config.withDefaults(); err != nil {
		return c, err
	}
	if len(c.Queues) == 0 || c.Handle == nil {
		return c, errors.New("rabbitmq: a consumer needs queues and a handler")
	}
	c.Workers = max(c.Workers, 1)
	return c, nil
}

// Consumer passes messages to a Handler, in batches, and settles them by its result.
type Consumer struct {
	config     ConsumerConfig
	supervisor *supervisor
	publisher  *Publisher // moves messages that fail
	log        *slog.Logger
	consuming  atomic.Int64 // workers to which the broker delivers
}

// NewConsumer returns a consumer, which does nothing until Run. The publisher moves messages that fail.
func NewConsumer(config ConsumerConfig, publisher *Publisher) (*Consumer, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Consumer{
		config:     config,
		supervisor: newSupervisor(config.Config, "consuming"),
		publisher:  publisher,
		log:        config.Log,
	}
	c.supervisor.hopeless = func(err error) bool {
		var different *DifferentError
		return errors.As(err, &different)
	}
	return c, nil
}

// What /readyz says about a broker that is connected.
const (
	NotConsuming = readiness.Problem("not consuming from every queue")
	Paused       = readiness.Problem("publishing is paused: the broker is short of memory or disk")
)

// Ready returns nil while the broker delivers the messages of every queue, otherwise what is wrong.
func (c *Consumer) Ready(context.Context) error {
	if err := c.supervisor.ready(); err != nil {
		return err
	}
	if int(c.consuming.Load()) < len(c.config.Queues)*c.config.Workers {
		return NotConsuming
	}
	return nil
}

// Run consumes until ctx is done. Then it takes no more messages, finishes the batches in hand (which takes at most
// handlerTimeout, plus the time to move a message that failed), returns the other messages to their queues and returns
// nil. It returns an error only for a *DifferentError, which no retry can heal.
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

// worker handles the messages of one channel, one batch after the other. It belongs to one goroutine.
//
// It settles batches in the order of delivery, so when it acknowledges the last message of a batch "and all before", that
// covers exactly the batch.
type worker struct {
	consumer   *Consumer
	session    *session
	queue      string
	ch         *amqp.Channel
	closed     chan *amqp.Error
	prefetched chan amqp.Delivery // room for the whole prefetch; closed when the channel has ended
}

// workerTag names the worker within its channel, where it is the only consumer.
const workerTag = "worker"

func (c *Consumer) startWorker(s *session, queue string) (*worker, error) {
	w := &worker{consumer: c, session: s, queue: queue, prefetched: make(chan amqp.Delivery, MaxPrefetch)}
	return w, s.within(func() (err error) {
		if w.ch, err = s.conn.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		w.closed = w.ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := w.ch.Qos(MaxPrefetch, 0, false); err != nil {
			return fmt.Errorf("set the prefetch: %w", err)
		}
		deliveries, err := w.ch.Consume(queue, workerTag, false, false, false, false, nil)
		if err != nil {
			return err
		}
		c.consuming.Add(1)
		go w.prefetch(deliveries)
		return nil
	})
}

// prefetch collects what the broker delivers while a batch is handled. The client library passes deliveries on one at a time,
// so without this the worker could not tell what has arrived. It never blocks, because the broker sends no more than the
// prefetch, and it ends with the channel, or when the broker cancels the consumer. Readiness says so at once, while the worker
// may still have a batch in hand.
func (w *worker) prefetch(deliveries <-chan amqp.Delivery) {
	defer close(w.prefetched)
	defer w.consumer.consuming.Add(-1)
	for d := range deliveries {
		w.prefetched <- d
	}
}

// run returns when ctx is done, after the batch in hand, or when the channel has ended.
func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case first, ok := <-w.prefetched:
			if !ok {
				return w.ended()
			}
			batch := w.batch(first)
			if err := w.consumer.process(ctx, w.queue, batch); err != nil {
				return fmt.Errorf("settle %d messages of %s: %w", len(batch), w.queue, err)
			}
		}
	}
	w.giveBack()
	return nil
}

// batch returns the message with all that have arrived after it. It does not wait for more: a lone message is handled at
// once.
func (w *worker) batch(first amqp.Delivery) []amqp.Delivery {
	batch := []amqp.Delivery{first}
	for len(batch) < cap(w.prefetched) {
		select {
		case d, ok := <-w.prefetched:
			if !ok {
				return batch
			}
			batch = append(batch, d)
		default:
			return batch
		}
	}
	return batch
}

// ended returns why there are no more deliveries. Either the channel was closed, or the broker cancelled the consumer,
// which happens when the queue is deleted.
func (w *worker) ended() error {
	if w.ch.IsClosed() {
		return fmt.Errorf("consume %s: %w", w.queue, closedBecause(<-w.closed))
	}
	return fmt.Errorf("the broker cancelled the consumer of %s; the queue was probably deleted", w.queue)
}

// giveBack returns the messages that were delivered but not started, so that another consumer gets them at once. If the
// connection is lost, the broker has already taken them back, and the calls return errors without effect.
func (w *worker) giveBack() {
	_ = w.session.within(func() error {
		if err := w.ch.Cancel(workerTag, false); err != nil {
			return err
		}
		for d := range w.prefetched {
			_ = d.Nack(false, true)
		}
		return w.ch.Close()
	})
}

// process handles a batch and settles every message of it. An error means that the channel is unusable.
func (c *Consumer) process(ctx context.Context, queue string, batch []amqp.Delivery) error {
	last := batch[len(batch)-1]
	err := c.handleWhenAvailable(ctx, queue, batch)
	switch {
	case err == nil:
		return last.Ack(true)
	case isUnavailable(err):
		return last.Nack(true, true) // the consumer stops
	case len(batch) > 1:
		return c.processEach(ctx, queue, batch)
	}
	// A single message has failed. Once the broker has it elsewhere, it can leave this queue; until then it stays.
	if err := c.move(ctx, newMessage(queue, last), last, err); err != nil {
		return last.Nack(true, true)
	}
	return last.Ack(true)
}

// processEach handles the messages of a failed batch, which had no effect, one by one: the culprit fails alone.
func (c *Consumer) processEach(ctx context.Context, queue string, batch []amqp.Delivery) error {
	c.log.Warn("batch failed, its messages are handled one by one", "queue", queue, "messages", len(batch))
	for i := range batch {
		if ctx.Err() != nil {
			return batch[len(batch)-1].Nack(true, true)
		}
		if err := c.process(ctx, queue, batch[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// handleWhenAvailable keeps the batch in hand and tries again while what every message needs is unavailable. It returns an
// Unavailable error only when ctx is done.
func (c *Consumer) handleWhenAvailable(ctx context.Context, queue string, batch []amqp.Delivery) error {
	messages := make([]Message, len(batch))
	for i, d := range batch {
		messages[i] = newMessage(queue, d)
	}
	for tries := 0; ; tries++ {
		err := c.handle(ctx, messages)
		if !isUnavailable(err) {
			return err
		}
		pause := backoff(tries, unavailableBackoff)
		c.log.Warn("messages wait in hand", "queue", queue, "messages", len(batch), "firstMessageId", messages[0].ID,
			"error", err.Error(), "againIn", pause.String())
		if sleep(ctx, pause) != nil {
			return err
		}
	}
}

// unavailableBackoff bounds the pause before a batch in hand is tried again. A recovery is noticed within that time.
const unavailableBackoff = 5 * time.Second

// handle calls the handler. Neither a stop nor a lost connection cancels it: work that has begun is worth finishing, and
// the next delivery of the messages will find it done. A panic is an error like others, so that one message cannot stop
// the consumer.
func (c *Consumer) handle(ctx context.Context, batch []Message) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handlerTimeout)
	defer cancel()
	ctx, end := startHandling(ctx, batch)
	defer func() { end(err) }()
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("the handler panicked", "queue", batch[0].Queue, "messages", len(batch), "firstMessageId", batch[0].ID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	return c.config.Handle(ctx, batch)
}
