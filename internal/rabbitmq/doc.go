// Package rabbitmq carries the order events: it publishes them so that none is lost, and consumes them so that each
// takes effect. It is the only package that speaks AMQP, and can be used on its own.
//
// # The way of a message
//
//	Publisher ──mandatory, persistent, confirmed──▶ exchange orders (topic)
//	                                                      │ routing key = event type
//	                                     ┌────────────────┼───────────────────┐
//	                                     ▼                ▼                   ▼
//	                              ORDER_CONFIRMED  ORDER_CANCELLED  ORDER_NEEDS_ATTENTION
//	                                     └───────┬────────┘
//	                                             ▼
//	   ┌──after the tier's delay──────────── Consumer ──handled──▶ ack
//	   │                                     │      │
//	   │          failed, may work later     │      │  poison, or every tier was tried
//	   └── retry.5s … retry.10m ◀────────────┘      └────▶ exchange dlx, key failed ──▶ failed_messages
//
// [Topology] declares all of it, on every connection, by whoever comes first; declaring what is there is harmless. All
// queues are durable quorum queues, and what they dead-letter is moved at least once. A queue that exists with other
// arguments is a [*DifferentError], which says what to do.
//
// # Publishing
//
// [Publisher.Publish] returns nil only when the broker has confirmed that the message is safe in a queue. Otherwise the
// error is one of three kinds:
//
//   - [ErrRefused]: the broker said no, for example because no queue takes the message.
//   - [ErrUnknown]: the connection or the time ended before the answer. The message may be there. Publish it again: it
//     has the same message ID, and consumers drop what they have already seen.
//   - [ErrNotSent]: there was no connection in time (or the broker was out of memory or disk and had asked for a pause);
//     nothing was sent.
//
// # Consuming
//
// A [Consumer] acknowledges a message when its [Handler] has returned nil, so a handler commits its effect first.
// The broker delivers at least once: a handler recognises by [Message.ID] what it has already done. Its error decides
// what happens next:
//
//   - [Poison]: this message will never work. It goes to failed_messages at once, with the reason in a header.
//   - [Unavailable]: nothing would work now, because something that every message needs is down. The message stays in
//     hand and is tried again until that is over; no attempt is used up, and nothing is dead-lettered by an outage.
//   - any other error: this message may work later. It waits in the retry tiers, one after the other, and ends in
//     failed_messages when the last one did not help.
//
// What is in failed_messages is for people: [DeadLetters] shows, replays and discards it, and the program deadletter is
// its command line. Every action is recorded, with the message, in the stream dead_letter_audit before it is done.
//
// # Bodies and headers
//
// Bodies are JSON with a version. docs/events.md and its JSON Schemas describe them; testdata has one of each kind. Fields
// may be added to a version, and consumers leave out those that they do not know; anything else is a new version, which
// consumers refuse as poison until they know it.
// [order.Event] is about an order that has ended, [order.Alert] about one in trouble, for operators. Message ID,
// type, time and correlation ID (the order's) are AMQP properties. Headers: traceparent and tracestate (W3C trace
// context: the publisher's, or else one that begins with the order's ID as its trace ID), and for messages that failed
// attempt, reason, queue and failedAt.
//
// # Connections
//
// Publisher and Consumer have a connection each, so that a broker which throttles publishing does not hold up
// acknowledgements. A supervisor owns each connection: it dials, declares the topology, starts the channels, and when
// anything of it fails, all of it ends together (connection, channels, deliveries, pending confirms) and a new one is
// made after a pause with full jitter. Nothing outlives the connection that it came from, so a late acknowledgement can
// never hit another message. The client library has a recovery of its own, which is left off: it uses delivery tags
// again after reconnecting.
//
// Every wait is bounded: dialling and declaring by setupTimeout, a write by writeTimeout, silence of the broker by the
// heartbeat, a confirm by confirmTimeout, closing by closeTimeout.
package rabbitmq
