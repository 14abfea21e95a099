package rabbitmq

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AuditStream keeps what was done to dead letters, by whom and why, with the messages themselves: an append-only stream
// that nobody can change, for a year.
const AuditStream = "dead_letter_audit"

// DeadLetters looks at the messages that nobody could handle, and replays or discards them. It is for a tool: it has one
// connection, and when that is lost its calls fail. Whatever ends it, and whenever, no message is lost: one leaves
// failed_messages only after the broker has confirmed where it goes. At worst it is in both places, under one ID.
type DeadLetters struct {
	conn     *amqp.Connection
	socket   *socket
	ch       *amqp.Channel // in confirm mode
	returns  chan amqp.Return
	topology Topology
}

// OpenDeadLetters connects, at most until ctx is done, and declares the topology.
func OpenDeadLetters(ctx context.Context, config Config) (_ *DeadLetters, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	conn, socket, err := dial(ctx, config.URL, config.Name)
	if err != nil {
		return nil, err
	}
	d := &DeadLetters{conn: conn, socket: socket, topology: config.Topology}
	if err := d.setUp(); err != nil {
		d.Close()
		return nil, err
	}
	if !socket.keep() {
		d.Close()
		return nil, fmt.Errorf("connect to RabbitMQ: %w", ctx.Err())
	}
	return d, nil
}

func (d *DeadLetters) setUp() (err error) {
	if err := d.topology.declare(d.conn); err != nil {
		return err
	}
	if d.ch, err = d.conn.Channel(); err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	_, err = d.ch.QueueDeclare(AuditStream, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: "stream", "x-max-age": "1Y", "x-stream-max-segment-size-bytes": int32(10_000_000),
	})
	if err != nil {
		return different(AuditStream, err)
	}
	if err := d.ch.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	d.returns = d.ch.NotifyReturn(make(chan amqp.Return, 1))
	return nil
}

// Close ends the connection.
func (d *DeadLetters) Close() { closeConnection(d.conn, d.socket) }

// DeadLetter is a message that nobody could handle.
type DeadLetter struct {
	ID            string            `json:"id"`
	Type          string            `json:"type"`
	CorrelationID string            `json:"correlationId"`
	Queue         string            `json:"queue"` // in which it failed; empty when nobody has said
	Reason        string            `json:"reason"`
	Group         string            `json:"group"` // the same for messages that failed in the same queue for the same reason, but for numbers and IDs
	Attempts      int               `json:"attempts"`
	FailedAt      time.Time         `json:"failedAt,omitzero"`
	Headers       map[string]string `json:"headers,omitempty"`
	Body          []byte            `json:"-"`
}

func newDeadLetter(m amqp.Delivery) DeadLetter {
	l := DeadLetter{
		ID: m.MessageId, Type: m.Type, CorrelationID: m.CorrelationId, Attempts: attempt(m.Headers), Body: m.Body,
		Headers: map[string]string{},
	}
	l.Queue, _ = m.Headers[HeaderQueue].(string)
	l.Reason, _ = m.Headers[HeaderReason].(string)
	l.FailedAt, _ = m.Headers[HeaderFailed].(time.Time)
	if l.Queue == "" { // the broker gave it up: too often delivered and never acknowledged
		l.Queue, _ = m.Headers["x-last-death-queue"].(string)
		why, _ := m.Headers["x-last-death-reason"].(string)
		l.Reason = "given up by the broker: " + why
	}
	for name, value := range m.Headers {
		l.Headers[name] = fmt.Sprint(value)
	}
	l.Group = group(l.Queue, l.Type, l.Reason)
	return l
}

// individual is what differs between messages that failed for the same reason.
var individual = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+`)

// Pattern is a reason without what belongs to a single message: numbers and IDs.
func Pattern(reason string) string { return individual.ReplaceAllString(reason, "…") }

func group(queue, kind, reason string) string {
	sum := sha256.Sum256([]byte(queue + "\x00" + kind + "\x00" + Pattern(reason)))
	return hex.EncodeToString(sum[:4])
}

// Action is what becomes of a dead letter.
type Action string

// The actions. Whatever else is decided keeps the message where it is.
const (
	Keep    Action = "keep"
	Replay  Action = "replay"  // back into the queue in which it failed, as if for the first time
	Discard Action = "discard" // only the audit stream keeps it
)

// By says who acts, and why.
type By struct{ Operator, Reason string }

// Walk shows each message that is in failed_messages now, oldest first, to decide, and does what that says. The messages
// that are kept are out of others' sight until Walk returns. It holds all of them in memory. It returns the first error
// of decide, of an action, or of ctx.
func (d *DeadLetters) Walk(ctx context.Context, by By, decide func(DeadLetter) (Action, error)) error {
	looking, err := d.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	defer looking.Close() // gives back what was kept
	queue, err := looking.QueueDeclarePassive(DeadLetterQueue, true, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("look at %s: %w", DeadLetterQueue, err)
	}
	for range queue.Messages {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, ok, err := looking.Get(DeadLetterQueue, false)
		if err != nil {
			return fmt.Errorf("look at %s: %w", DeadLetterQueue, err)
		}
		if !ok {
			return nil
		}
		letter := newDeadLetter(m)
		action, err := decide(letter)
		if err == nil && action != Keep {
			err = d.act(ctx, action, by, letter, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Replayable returns why the message can not be replayed, or nil.
func (d *DeadLetters) Replayable(letter DeadLetter) error {
	if slices.Contains(d.topology.Queues, letter.Queue) {
		return nil
	}
	if letter.Queue == "" {
		return errors.New("it does not say in which queue it failed; discard it, or publish it by hand")
	}
	return fmt.Errorf("there is no queue %s, in which it says that it failed; discard it, or publish it by hand", letter.Queue)
}

// act does what was decided, in the order that loses nothing: first the record of it, then the message's new place, then
// its removal.
func (d *DeadLetters) act(ctx context.Context, action Action, by By, letter DeadLetter, m amqp.Delivery) error {
	if action == Replay {
		if err := d.Replayable(letter); err != nil {
			return fmt.Errorf("replay %s: %w", letter.ID, err)
		}
	}
	if err := d.publish(ctx, AuditStream, audited(action, by, letter, m)); err != nil {
		return fmt.Errorf("record the %s of %s: %w", action, letter.ID, err)
	}
	if action == Replay {
		if err := d.publish(ctx, letter.Queue, afresh(m)); err != nil {
			return fmt.Errorf("replay %s to %s: %w", letter.ID, letter.Queue, err)
		}
	}
	if err := m.Ack(false); err != nil {
		return fmt.Errorf("remove %s from %s: %w", letter.ID, DeadLetterQueue, err)
	}
	return nil
}

// afresh is the message without what its failures have added.
func afresh(m amqp.Delivery) amqp.Publishing {
	p := again(m, nil)
	for _, name := range []string{HeaderAttempt, HeaderReason, HeaderQueue, HeaderFailed} {
		delete(p.Headers, name)
	}
	return p
}

// Headers of entries in the audit stream.
const (
	auditAction   = "auditAction"
	auditOperator = "auditOperator"
	auditReason   = "auditReason"
	auditAt       = "auditAt"
)

func audited(action Action, by By, letter DeadLetter, m amqp.Delivery) amqp.Publishing {
	return again(m, amqp.Table{
		auditAction: string(action), auditOperator: by.Operator, auditReason: by.Reason, auditAt: time.Now().UTC(),
		HeaderQueue: letter.Queue, HeaderReason: letter.Reason,
	})
}

// publish returns nil once the broker has the message in the queue.
func (d *DeadLetters) publish(ctx context.Context, queue string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	confirm, err := d.ch.PublishWithDeferredConfirm("", queue, true, false, message)
	if err != nil {
		return err
	}
	acked, err := confirm.WaitContext(ctx)
	select {
	case returned, open := <-d.returns:
		if open {
			return fmt.Errorf("%w: %s", ErrRefused, returned.ReplyText)
		}
	default:
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if !acked {
		return fmt.Errorf("%w: the broker could not store it", ErrUnknown)
	}
	return nil
}

// AuditEntry is an action on a dead letter. One that was interrupted may be there, and again when it was repeated.
type AuditEntry struct {
	At       time.Time  `json:"at"`
	Action   Action     `json:"action"`
	Operator string     `json:"operator"`
	Why      string     `json:"why,omitempty"`
	Letter   DeadLetter `json:"letter"`
}

// auditQuiet is how long nothing must come from the audit stream for its end to be reached.
const auditQuiet = time.Second

// Audit shows every entry of the audit stream, oldest first.
func (d *DeadLetters) Audit(ctx context.Context, show func(AuditEntry) error) error {
	ch, err := d.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	defer ch.Close()
	if err := ch.Qos(100, 0, false); err != nil {
		return fmt.Errorf("read %s: %w", AuditStream, err)
	}
	entries, err := ch.ConsumeWithContext(ctx, AuditStream, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	if err != nil {
		return fmt.Errorf("read %s: %w", AuditStream, err)
	}
	for {
		select {
		case m, ok := <-entries:
			if !ok {
				return errors.Join(ctx.Err(), errEnded)
			}
			if err := errors.Join(show(newAuditEntry(m)), m.Ack(false)); err != nil {
				return err
			}
		case <-time.After(auditQuiet):
			return nil
		}
	}
}

func newAuditEntry(m amqp.Delivery) AuditEntry {
	e := AuditEntry{}
	action, _ := m.Headers[auditAction].(string)
	e.Action = Action(action)
	e.Operator, _ = m.Headers[auditOperator].(string)
	e.Why, _ = m.Headers[auditReason].(string)
	e.At, _ = m.Headers[auditAt].(time.Time)
	e.At = e.At.UTC()
	m.Headers = maps.Clone(m.Headers)
	maps.DeleteFunc(m.Headers, func(name string, _ any) bool {
		return slices.Contains([]string{auditAction, auditOperator, auditReason, auditAt, "x-stream-offset"}, name)
	})
	e.Letter = newDeadLetter(m)
	return e
}
