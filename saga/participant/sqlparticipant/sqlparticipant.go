// Package sqlparticipant keeps a participant's marks in PostgreSQL or SQLite (3.35 or later), through database/sql. It works
// with any driver for these databases.
package sqlparticipant

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/internal/statements"
)

// Schema creates the table of the marks, unless it exists. Put it into your migrations.
const Schema = statements.Schema

// Store is a [participant.Store]. It is safe for concurrent use.
type Store struct{ db *sql.DB }

// New returns a store in db, which must have the table of [Schema].
func New(db *sql.DB) *Store { return &Store{db} }

// Transact implements [participant.Store]. It repeats a transaction that PostgreSQL aborts only because others ran beside it, a
// serialization failure or a deadlock, if the driver's errors have the method SQLState, as those of pgx and lib/pq do.
func (s *Store) Transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	return statements.Repeat(func() error { return s.transact(ctx, f) })
}

func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	// After a commit, or when the context has ended, this changes nothing.
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

// Claim implements [participant.Store].
func (s *Store) Claim(ctx context.Context, tx *sql.Tx, m participant.Mark) (participant.Mark, bool, error) {
	var changedAt, calls int64
	err := tx.QueryRowContext(ctx, statements.Claim,
		m.Key, string(m.State), m.Request, m.Result, m.At.UnixMilli()).
		Scan(&m.State, &m.Request, &m.Result, &changedAt, &calls)
	if err != nil {
		return participant.Mark{}, false, fmt.Errorf("claim the mark of %s: %w", m.Key, err)
	}
	m.At = time.UnixMilli(changedAt)
	return m, calls == 1, nil
}

// Update implements [participant.Store].
func (s *Store) Update(ctx context.Context, tx *sql.Tx, m participant.Mark) error {
	_, err := tx.ExecContext(ctx, statements.Update, string(m.State), m.Result, m.At.UnixMilli(), m.Key)
	if err != nil {
		return fmt.Errorf("update the mark of %s: %w", m.Key, err)
	}
	return nil
}

// Prune implements [participant.Store].
func (s *Store) Prune(ctx context.Context, state participant.State, before time.Time) (int64, error) {
	result, err := s.db.ExecContext(ctx, statements.Prune, string(state), before.UnixMilli())
	var pruned int64
	if err == nil {
		pruned, err = result.RowsAffected()
	}
	if err != nil {
		return 0, fmt.Errorf("prune the marks that are %s: %w", state, err)
	}
	return pruned, nil
}
