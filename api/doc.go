// Package api takes orders over HTTP and shows their state.
//
// It writes to no database. POST /orders starts the order's saga in Temporal (package workflows) and waits, for a bounded
// time, until the order's row in PostgreSQL shows the outcome. Every other read comes from these rows too. The saga writes
// them.
//
// # An order is placed once
//
// Everything that could happen twice has the same name the second time:
//
//	Idempotency-Key ─┐
//	user             ┴─▶ order ID ─▶ workflow ID ─▶ one saga ─▶ one row ─▶ one outcome
//	                     (a hash of both)
//
// A request with a key first looks for the row of its order, so it gets the outcome even if Temporal has forgotten the
// workflow. Without a row it starts the workflow, or joins it if it is running. Temporal does not compare the inputs of two
// starts, so the api compares hashes of the requests: the workflow's input, its memo and the row have the hash. A different
// hash means that the key was used for another body.
//
// # What the client learns when something fails
//
// 503 unavailable means that nothing happened: the start was certainly not sent. If the start was sent but its result was
// lost, the api repeats it under the same IDs, which is harmless. Only if that fails too does it respond with 503
// outcome-unknown and the order's ID. If the outcome is not known in time, the response is 202 with the place to look. A
// client that disconnects stops nothing.
//
// # Layout
//
//	orders.go                the operations; place.go and cancel.go have the two longest
//	read.go                  reads that the operations share
//	wire.go, orderclient     the JSON of clients; docs.go has its descriptions
//	problems.go              the one table from the domain's refusals to problems
//	engine.go, outcomes.go   starting sagas, and waiting for rows; why a response may leave before its workflow has ended
//	poll.go                  asking the database for all that wait
//	principal.go             the sender of a request
//	events.go                streams of events: watch.go finds changes for all of them, stream.go writes one
//	page.go, web             the page at /
package api
