// Package statements holds the SQL that keeps marks, for PostgreSQL and SQLite, and repeats transactions.
package statements

import "errors"

// Schema creates the table of marks.
const Schema = `
CREATE TABLE IF NOT EXISTS saga_marks (
	key        text   PRIMARY KEY, -- of a step, or the saga's ID
	state      text   NOT NULL CHECK (state IN ('done', 'undone', 'forward', 'backward', 'ended')),
	request    text   NOT NULL, -- a hash of the step's input
	result     text   NOT NULL, -- JSON
	changed_at bigint NOT NULL, -- milliseconds since 1970
	calls      bigint NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS saga_marks_by_age ON saga_marks (state, changed_at);`

// Claim inserts a mark or, if there is one, locks it and returns it. Of several calls at once, the first to insert gets
// calls = 1.
const Claim = `
INSERT INTO saga_marks (key, state, request, result, changed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (key) DO UPDATE SET calls = saga_marks.calls + 1
RETURNING state, request, result, changed_at, calls`

// Update replaces a mark's state and result.
const Update = `UPDATE saga_marks SET state = $1, result = $2, changed_at = $3 WHERE key = $4`

// Prune deletes the old marks of a state.
const Prune = `DELETE FROM saga_marks WHERE state = $1 AND changed_at < $2`

// attempts is how often a transaction is begun that the database aborts because of others.
const attempts = 10

// Repeat runs a transaction, again when PostgreSQL aborts it only because others ran beside it: a serialization failure or a
// deadlock. The drivers' errors tell the SQLSTATE.
func Repeat(transaction func() error) (err error) {
	for range attempts {
		err = transaction()
		var aborted interface{ SQLState() string }
		if !errors.As(err, &aborted) || aborted.SQLState() != "40001" && aborted.SQLState() != "40P01" {
			return err
		}
	}
	return err
}
