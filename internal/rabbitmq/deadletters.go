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

// AuditStream records what operators did to dead letters and why, with the messages themselves. It is an append-only stream
// that keeps its entries for a year; no client can change them.
const AuditStream = "dead_letter_audit"

// DeadLetters reads, replays and discards the messages that consumers gave up. It is for a tool: it has one connection, and
// its calls fail when that is lost. It never loses a message, even when it is killed: a message leaves failed_messages only
// after the broker has confirmed its new place. At worst the message is in both places under one ID, and consumers act once
// on an ID.
type DeadLetters struct {
	*session
	out      *confirmChannel
	topology Topology
}

// OpenDeadLetters connects and declares the topology. When ctx is done first, it gives up. The caller closes the result.
func OpenDeadLetters(ctx context.Context, config Config) (_ *DeadLetters, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	conn, socket, err := dial(ctx, config.URL, config.Name)
	if err != nil {
		return nil, err
	}
	d := &DeadLetters{topology: config.Topology, session: &session{
		conn: conn, socket: socket, lost: context.WithoutCancel(ctx), blocked: &gate{},
	}}
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
	if d.out, err = openConfirmChannel(d.session); err != nil {
		return err
	}
	d.out.repair = func() error { return nil } // a call that fails is the last
	_, err = d.out.ch.QueueDeclare(AuditStream, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: "stream", "x-max-age": "1Y", "x-stream-max-segment-size-bytes": int32(10_000_000),
	})
	if err != nil {
		return different(AuditStream, err)
	}
	return nil
}

// Close ends the connection.
func (d *DeadLetters) Close() { closeConnection(d.conn, d.socket) }

// DeadLetter is a message that a consumer gave up, or that the broker gave up for it.
type DeadLetter struct {
	ID            string            `json:"id"`
	Type          string            `json:"type"`
	CorrelationID string            `json:"correlationId"`
	Queue         string            `json:"queue"` // in which it failed; empty if unknown
	Reason        string            `json:"reason"`
	Group         string            `json:"group"` // same queue, same type, same Pattern of the reason
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
	l.Queue, l.Reason = text(m.Headers, HeaderQueue), text(m.Headers, HeaderReason)
	l.FailedAt, _ = m.Headers[HeaderFailed].(time.Time)
	if l.Queue == "" { // the broker gave it up: consumers took it too often and never acknowledged it
		l.Queue = text(m.Headers, "x-last-death-queue")
		l.Reason = "given up by the broker: " + text(m.Headers, "x-last-death-reason")
	}
	for name, value := range m.Headers {
		l.Headers[name] = fmt.Sprint(value)
	}
	l.Group = group(l.Queue, l.Type, l.Reason)
	return l
}

// text returns a header, "" if it is missing or something else.
func text(headers amqp.Table, name string) string {
	s, _ := headers[name].(string)
	return s
}

// individual matches what differs between messages that failed for the same reason.
var individual = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+`)

// Pattern returns a reason without the numbers and IDs of a single message.
func Pattern(reason string) string { return individual.ReplaceAllString(reason, "…") }

func group(queue, kind, reason string) string {
	sum := sha256.Sum256([]byte(queue + "\x00" + kind + "\x00" + Pattern(reason)))
	return hex.EncodeToString(sum[:4])
}

// Action is what to do with a dead letter.
type Action string

// The actions.
const (
	Keep    Action = "keep"    // leave it where it is
	Replay  Action = "replay"  // put it back into the queue in which it failed, without a trace of the failure
	Discard Action = "discard" // remove it; the audit stream keeps it
)

// By says who acts and why.
type By struct{ Operator, Reason string }

// Walk calls decide for each message that is in failed_messages now, oldest first, and carries out the action that it
// returns. Messages that are kept stay invisible to other consumers until Walk returns; Walk holds all of them in memory.
// It stops at the first error of decide, of an action, or of ctx, and returns it.
func (d *DeadLetters) Walk(ctx context.Context, by By, decide func(DeadLetter) (Action, error)) error {
	reading, err := d.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	defer reading.Close() // returns the messages that were kept to the queue
	queue, err := reading.QueueDeclarePassive(DeadLetterQueue, true, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", DeadLetterQueue, err)
	}
	for range queue.Messages {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, ok, err := reading.Get(DeadLetterQueue, false)
		if err != nil {
			return fmt.Errorf("read %s: %w", DeadLetterQueue, err)
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

// Replayable returns nil, or the reason why the message cannot be replayed.
func (d *DeadLetters) Replayable(letter DeadLetter) error {
	if slices.Contains(d.topology.Queues, letter.Queue) {
		return nil
	}
	if letter.Queue == "" {
		return errors.New("it does not name the queue in which it failed; discard it, or publish it by hand")
	}
	return fmt.Errorf("it failed in queue %s, which does not exist; discard it, or publish it by hand", letter.Queue)
}

// act carries out an action in the order that loses nothing: it records the action, then publishes the message to its new
// place, then removes it from the old one.
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
		if err := d.publish(ctx, letter.Queue, unfailed(m)); err != nil {
			return fmt.Errorf("replay %s to %s: %w", letter.ID, letter.Queue, err)
		}
	}
	if err := m.Ack(false); err != nil {
		return fmt.Errorf("remove %s from %s: %w", letter.ID, DeadLetterQueue, err)
	}
	return nil
}

// unfailed returns the message without the headers that its failures added.
func unfailed(m amqp.Delivery) amqp.Publishing {
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

// publish returns nil after the broker has confirmed that the message is in the queue.
func (d *DeadLetters) publish(ctx context.Context, queue string, message amqp.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	outcome, _ := d.out.publish(ctx, &request{ctx: ctx, key: queue, message: message})
	return outcome
}

// AuditEntry is an action on a dead letter. Entries precede their actions, so an action that was interrupted and repeated has
// two.
type AuditEntry struct {
	At       time.Time  `json:"at"`
	Action   Action     `json:"action"`
	Operator string     `json:"operator"`
	Why      string     `json:"why,omitempty"`
	Letter   DeadLetter `json:"letter"`
}

// auditQuiet is how long Audit waits for a next entry before it takes the stream's end as reached: the protocol does not
// mark the end, and the broker does not count a stream's messages. A healthy broker needs milliseconds.
const auditQuiet = 3 * time.Second

// Audit calls show for every entry of the audit stream, oldest first, and stops at its first error.
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
	e := AuditEntry{
		Action: Action(text(m.Headers, auditAction)), Operator: text(m.Headers, auditOperator), Why: text(m.Headers, auditReason),
	}
	if at, ok := m.Headers[auditAt].(time.Time); ok {
		e.At = at.UTC()
	}
	m.Headers = maps.Clone(m.Headers)
	maps.DeleteFunc(m.Headers, func(name string, _ any) bool {
		return slices.Contains([]string{auditAction, auditOperator, auditReason, auditAt, "x-stream-offset"}, name)
	})
	e.Letter = newDeadLetter(m)
	return e
}
