// Package api takes orders over HTTP and shows how they stand.
//
// It writes to no database. POST /orders starts the order's saga in Temporal (package workflows) and waits for its
// outcome, bounded; everything that is read comes from the orders' rows in PostgreSQL, which the saga writes.
//
// # An order is placed once
//
// Everything that could happen twice has a name that is the same the second time:
//
//	Idempotency-Key ─┐
//	user             ┴─▶ order ID ─▶ workflow ID ─▶ one saga ─▶ one row
//	                     (hash of both)             update "outcome", with a fixed ID: one answer
//
// A request with a key looks for the row of its order first, so it is answered also when Temporal has long forgotten the
// workflow. Without a row it starts the workflow, which joins the one that runs. Temporal does not compare what two
// starts want to start; the hash of the request does: it is in the workflow's input and memo, and in the row, and another
// hash than ours means that the key was used for another body.
//
// # What the client is told when things go wrong
//
// The client is told that nothing happened (503 unavailable) only when the start was surely never sent. When it was sent
// and the answer was lost, the api asks again under the same IDs, which is harmless, and only when that fails as well
// does it answer 503 outcome-unknown, with the order's ID. When the saga runs but its outcome is not known in time, the
// answer is 202 with the place to look. A client that hangs up stops nothing.
//
// # Layout
//
// orders.go holds the operations; place.go and cancel.go what two of them do; read.go what the others share. wire.go is
// the JSON of clients, problems.go the one table from the domain's refusals to problems. sagas.go is all that is known
// of Temporal. principal.go says who asks. events.go opens streams of events, watch.go finds what is new for all of them, and
// stream.go writes one. page.go and web/ are the page at /.
package api
