package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/order"
)

// The three ways in which a publish fails. The package's documentation says what to do about each.
var (
	ErrRefused = errors.New("refused by RabbitMQ")
	ErrUnknown = errors.New("RabbitMQ may or may not have the message")
	ErrNotSent = errors.New("not sent to RabbitMQ")
)

const (
	// publishTimeout bounds a Publish whose context allows more.
	publishTimeout = 30 * time.Second
	// confirmTimeout is how long the broker may take to confirm. After that the publisher gives up the connection.
	confirmTimeout = 15 * time.Second
	// confirmChannels is how many messages can wait for their confirms at the same time. A quorum queue confirms within
	// milliseconds, so 16 are enough for a few thousand messages a second.
	confirmChannels = 16
)

// Publisher publishes with confirms, over one connection with a pool of channels. It is safe for concurrent use, and
// implements activities.Events, RefundEvents, ShipmentEvents and Alerts.
type Publisher struct {
	supervisor *supervisor
	topology   Topology
	requests   chan *request

	stop context.CancelFunc
	done chan struct{} // closed when the supervisor has ended
	err  error         // the supervisor's; read it after done
}

// NewPublisher starts a publisher. It does not wait for the broker: while that is down, Publish waits. Call Close at the
// end.
func NewPublisher(config Config) (*Publisher, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Publisher{
		supervisor: newSupervisor(config, "publishing"),
		topology:   config.Topology,
		requests:   make(chan *request),
		stop:       stop,
		done:       make(chan struct{}),
	}
	go func() {
		defer close(p.done)
		p.err = p.supervisor.run(ctx, p.serve)
	}()
	return p, nil
}

// Close waits for outstanding confirms (at most confirmTimeout), then closes the connection. A Publish that has not sent
// its message yet returns ErrNotSent, and so does any later one.
func (p *Publisher) Close() error {
	p.stop()
	<-p.done
	return p.err
}

// Ready returns nil while the publisher is connected and the topology declared, otherwise what is wrong.
func (p *Publisher) Ready(context.Context) error { return p.supervisor.ready() }

// Publish returns nil once the broker has stored the event in a queue, on disk. Otherwise the error is ErrRefused,
// ErrUnknown or ErrNotSent, and after any of them publishing the same event again is harmless: it has the same message
// ID. Without a connection it waits for one, until ctx is done or publishTimeout has passed.
func (p *Publisher) Publish(ctx context.Context, e order.Event) error {
	message, err := encode(e)
	return p.publish(ctx, message, err)
}

// SendAlert publishes an alert to operators, with the same guarantees as Publish.
func (p *Publisher) SendAlert(ctx context.Context, a order.Alert) error {
	message, err := encodeAlert(a)
	return p.publish(ctx, message, err)
}

// PublishRefund publishes an event about a refund, with the same guarantees as Publish.
func (p *Publisher) PublishRefund(ctx context.Context, e order.RefundEvent) error {
	message, err := encodeRefund(e)
	return p.publish(ctx, message, err)
}

// PublishShipment publishes an event about a shipment, with the same guarantees as Publish.
func (p *Publisher) PublishShipment(ctx context.Context, e order.ShipmentEvent) error {
	message, err := encodeShipment(e)
	return p.publish(ctx, message, err)
}

// publish publishes a message that was encoded with this result.
func (p *Publisher) publish(ctx context.Context, message amqp.Publishing, err error) error {
	if err == nil {
		var span trace.Span
		ctx, span = tracer().Start(ctx, "publish "+message.Type, trace.WithSpanKind(trace.SpanKindProducer),
			attributes(message.MessageId, message.CorrelationId, Exchange))
		inject(ctx, &message)
		err = p.send(ctx, Exchange, message.Type, message)
		endSpan(span, err)
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", message.MessageId, err)
	}
	return nil
}

// request is a message on its way through the pool. The channel that receives it reports the outcome.
type request struct {
	ctx           context.Context
	exchange, key string
	message       amqp.Publishing
	outcome       chan error // buffered, because send may have returned
	// settled is set once, either by the channel that is about to publish or by a send that gives up. So a send that
	// gives up knows whether the message can still be published.
	settled atomic.Bool
}

// send passes the message to the first free channel and waits for the outcome. If that channel dies before it has
// published, another one gets the message.
func (p *Publisher) send(ctx context.Context, exchange, key string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	for {
		r := &request{ctx: ctx, exchange: exchange, key: key, message: message, outcome: make(chan error, 1)}
		select {
		case p.requests <- r:
		case <-p.done:
			return fmt.Errorf("%w: the publisher is closed", ErrNotSent)
		case <-ctx.Done():
			return p.notSent(ctx)
		}
		if err := r.wait(); !errors.Is(err, ErrNotSent) {
			return err
		}
		if ctx.Err() != nil {
			return p.notSent(ctx)
		}
	}
}

// wait returns the outcome, or gives up when the request's context is done.
func (r *request) wait() error {
	select {
	case err := <-r.outcome:
		return err
	case <-r.ctx.Done():
	}
	if r.settled.CompareAndSwap(false, true) {
		return ErrNotSent
	}
	select {
	case err := <-r.outcome: // just in time
		return err
	default:
		return fmt.Errorf("%w: no confirm yet: %w", ErrUnknown, r.ctx.Err())
	}
}

// notSent returns why no channel published a message in time.
func (p *Publisher) notSent(ctx context.Context) error {
	if why := p.supervisor.ready(); why != nil {
		return fmt.Errorf("%w: %w (%w)", ErrNotSent, ctx.Err(), why)
	}
	return fmt.Errorf("%w: %w (all channels are busy)", ErrNotSent, ctx.Err())
}

// serve runs the pool on one connection: a goroutine for each channel.
func (p *Publisher) serve(ctx context.Context, s *session) error {
	g, ctx := errgroup.WithContext(ctx)
	var declaring sync.Mutex // one repair of the topology at a time
	for range confirmChannels {
		g.Go(func() error {
			ch, err := openConfirmChannel(s)
			if err != nil {
				return err
			}
			ch.repair = func() error {
				declaring.Lock()
				defer declaring.Unlock()
				return s.within(func() error { return p.topology.declare(s.conn) })
			}
			return ch.serve(ctx, p.requests)
		})
	}
	return g.Wait()
}

// confirmChannel publishes one message at a time and waits for its confirm. It belongs to one goroutine.
type confirmChannel struct {
	session *session
	ch      *amqp.Channel
	closed  chan *amqp.Error
	returns chan amqp.Return // room for one, because only one message is outstanding
	repair  func() error     // declares the topology again
}

func openConfirmChannel(s *session) (*confirmChannel, error) {
	c := &confirmChannel{session: s}
	err := s.within(func() (err error) {
		if c.ch, err = s.conn.Channel(); err != nil {
			return fmt.Errorf("open a channel: %w", err)
		}
		if err := c.ch.Confirm(false); err != nil {
			return fmt.Errorf("ask for confirms: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.closed = c.ch.NotifyClose(make(chan *amqp.Error, 1))
	c.returns = c.ch.NotifyReturn(make(chan amqp.Return, 1))
	return c, nil
}

// serve publishes what is requested until ctx is done or the channel is unusable.
func (c *confirmChannel) serve(ctx context.Context, requests <-chan *request) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.closed:
			return closedBecause(err)
		case r := <-requests:
			outcome, broken := c.publish(ctx, r)
			r.outcome <- outcome
			if broken != nil {
				return broken
			}
		}
	}
}

// publish sends the message, unless the broker has asked for a pause, and returns the outcome. The second error is not
// nil when the channel must not be used again.
func (c *confirmChannel) publish(ctx context.Context, r *request) (outcome, broken error) {
	if err := c.session.blocked.wait(r.ctx, ctx); err != nil {
		return fmt.Errorf("%w: the broker asks publishers to pause: %w", ErrNotSent, err), nil
	}
	if c.ch.IsClosed() {
		return fmt.Errorf("%w: %w", ErrNotSent, errEnded), c.ended()
	}
	if !r.settled.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: the caller has given up", ErrNotSent), nil
	}
	confirm, err := c.ch.PublishWithDeferredConfirm(r.exchange, r.key, true, false, r.message)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err), err
	}
	return c.outcome(ctx, confirm)
}

// outcome waits for the confirm. It ignores the caller's context: a caller may give up, but the channel must keep count.
func (c *confirmChannel) outcome(ctx context.Context, confirm *amqp.DeferredConfirmation) (outcome, broken error) {
	acked, err := c.confirmed(ctx, confirm)
	select {
	case returned := <-c.returns: // arrives before the confirm, which is an ack nevertheless
		refused := fmt.Errorf("%w: %s (exchange %s, key %s)",
			ErrRefused, returned.ReplyText, returned.Exchange, returned.RoutingKey)
		return refused, c.repair()
	default:
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnknown, err), err
	case acked:
		return nil, nil
	case c.ch.IsClosed():
		return c.closedOutcome()
	}
	return fmt.Errorf("%w: the broker could not store it", ErrUnknown), nil
}

// confirmed returns the broker's confirm, or an error if none arrives within confirmTimeout. A broker that asks for a
// pause also delays confirms; those it waits for until ctx is done.
func (c *confirmChannel) confirmed(ctx context.Context, confirm *amqp.DeferredConfirmation) (acked bool, err error) {
	for {
		wait, cancel := context.WithTimeout(c.session.lost, confirmTimeout)
		acked, err = confirm.WaitContext(wait)
		cancel()
		paused := !c.session.blocked.isOpen() && ctx.Err() == nil && c.session.lost.Err() == nil
		if err == nil || !paused {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("no confirm within %s: %w", confirmTimeout, err)
	}
	return acked, err
}

// closedOutcome distinguishes a message that the broker refused by closing the channel from one that was under way when
// the channel was lost.
func (c *confirmChannel) closedOutcome() (outcome, broken error) {
	broken = c.ended()
	var reply *amqp.Error
	if errors.As(broken, &reply) && slices.Contains(refusals, reply.Code) {
		return fmt.Errorf("%w: %w", ErrRefused, broken), broken
	}
	return fmt.Errorf("%w: %w", ErrUnknown, broken), broken
}

// refusals are the codes with which the broker closes a channel because of a message that was published on it.
var refusals = []int{amqp.NotFound, amqp.AccessRefused, amqp.PreconditionFailed}

// ended returns why the channel, which must be closed, was closed.
func (c *confirmChannel) ended() error { return closedBecause(<-c.closed) }

// closedBecause returns an error for what NotifyClose has reported: nil if the connection was closed in order.
func closedBecause(err *amqp.Error) error {
	if err == nil {
		return errEnded
	}
	return fmt.Errorf("the broker closed a channel: %w", err)
}
