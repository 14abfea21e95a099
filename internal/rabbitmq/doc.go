// Package rabbitmq carries the order events: it publishes them so that none is lost, and consumes them so that each takes
// effect once. It is the only package that speaks AMQP.
//
// # The path of a message
//
//	Publisher ──mandatory, persistent, confirmed──▶ exchange orders (topic)
//	                                                      │ routing key = event type
//	                    ┌─────────────────┬───────────────┼────────────────┬─────────────────┐
//	                    ▼                 ▼               ▼                ▼                 ▼
//	             ORDER_CONFIRMED  ORDER_CANCELLED  ORDER_REFUNDS  ORDER_SHIPMENTS  ORDER_NEEDS_ATTENTION
//	                    └─────────────────┴──────┬────────┴────────────────┴─────────────────┘
//	                                             ▼
//	   ┌──after the tier's delay──────────── Consumer ──handled──▶ ack
//	   │                                     │      │
//	   │          failed, may work later     │      │  poison, or no tier is left
//	   └── retry.5s … retry.10m ◀────────────┘      └────▶ exchange dlx, key failed ──▶ failed_messages
//
// Every program declares the [Topology] on every connection; declaring what exists is harmless. All queues are durable
// quorum queues that dead-letter at least once. A queue that exists with other arguments is a [*DifferentError], which
// says what to do.
//
// # Publishing
//
// [Publisher.Publish] returns nil only when the broker has confirmed that the message is safe in a queue. Otherwise the
// error is one of three:
//
//   - [ErrRefused]: the broker refused the message, for example because no queue takes it.
//   - [ErrUnknown]: the connection or the time ended before the confirm. The message may be in the queue. Publish it again:
//     it has the same message ID, and consumers drop what they have already seen.
//   - [ErrNotSent]: there was no connection in time, or the broker had asked for a pause because it is short of memory or
//     disk. Nothing was sent.
//
// # Consuming
//
// A [Consumer] passes messages to its [Handler] in batches and acknowledges them when it has returned nil, so a handler
// commits its effects first. The broker delivers at least once: a handler recognises by [Message.ID] what it has already
// done. The error about a single message decides what happens next:
//
//   - [Poison]: this message will never work. It goes to failed_messages at once, with the reason in a header.
//   - [Unavailable]: no message would work now, because something that all of them need is down. The messages stay in hand
//     and are tried again. An outage uses up no attempts and dead-letters nothing.
//   - any other error: this message may work later. It goes through the retry tiers, one after the other, and ends in
//     failed_messages after the last one.
//
// failed_messages is for operators: [DeadLetters] shows, replays and discards its messages (`ops deadletters`). Every such
// action is recorded first, with the message, in the stream dead_letter_audit.
//
// # Batches
//
// A batch is what has arrived from one queue while the worker was busy, at most the prefetch, in the order of delivery. One
// transaction and one acknowledgement can thus serve up to [MaxPrefetch] messages. These rules hold:
//
//  1. A message is acknowledged only when its effect is committed, or when the broker has confirmed it elsewhere (in a
//     retry tier or in failed_messages). A crash before the acknowledgement delivers it again, and changes nothing.
//  2. An acknowledgement covers exactly the batch. It names the last delivery "and all before" of a channel that has one
//     consumer, which settles batches in order.
//  3. A batch takes effect as a whole or not at all. That is the handler's part.
//  4. A message that fails holds up no other: if a batch fails, its messages are handled one by one, and each is settled
//     by its own error.
//  5. The worker never waits for a batch to fill. A lone message is handled as soon as it arrives.
//
// # Bodies and headers
//
// Bodies are versioned JSON, described by docs/events.md and its JSON Schemas; testdata has one of each kind. A version may
// gain fields, and consumers ignore those that they do not know. Any other change is a new version, which consumers refuse
// as poison until they know it. Message ID, type, time and correlation ID (the order's) are AMQP properties. Headers:
// traceparent and tracestate (W3C trace context: the publisher's, or else one whose trace ID is the order's ID), and for
// messages that failed attempt, reason, queue and failedAt.
//
// # Connections
//
// Publisher and Consumer have a connection each, so that a broker that throttles publishing does not delay
// acknowledgements. A supervisor owns each connection: it dials, declares the topology and starts the channels. When any of
// that fails, everything ends together (connection, channels, deliveries, outstanding confirms), and after a pause with full
// jitter the supervisor starts again. Nothing outlives its connection, so a late acknowledgement can never hit another
// message. The client library has a recovery of its own, which stays off: it reuses delivery tags after reconnecting.
//
// Every wait has a timeout: dialling and declaring setupTimeout, a write writeTimeout, a silent broker the heartbeat, a
// confirm confirmTimeout, closing closeTimeout.
package rabbitmq
