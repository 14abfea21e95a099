// Package pgxparticipant keeps a participant's marks in PostgreSQL, through pgx.
package pgxparticipant

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ordersaga/ordersaga/saga/participant"
	"github.com/ordersaga/ordersaga/saga/participant/internal/statements"
)

// Schema creates the table of the marks, unless it exists. Put it into your migrations. The table is found by the search
// path, so it may be in any schema.
const Schema = statements.Schema

// DB is where the store begins its transactions: a *pgxpool.Pool or a *pgx.Conn.
type DB interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Store is a [participant.Store]. It is as safe for concurrent use as its DB.
type Store struct{ db DB }

// New returns a store in db, which must have the table of [Schema].
func New(db DB) *Store { return &Store{db} }

// Transact implements [participant.Store]. It repeats a transaction that PostgreSQL aborts only because others ran beside it:
// a serialization failure or a deadlock.
func (s *Store) Transact(ctx context.Context, f func(tx pgx.Tx) error) error {
	return statements.Repeat(func() error { return pgx.BeginFunc(ctx, s.db, f) })
}

// Claim implements [participant.Store].
func (s *Store) Claim(ctx context.Context, tx pgx.Tx, m participant.Mark) (participant.Mark, bool, error) {
	var changedAt, calls int64
	err := tx.QueryRow(ctx, statements.Claim, m.Key, string(m.State), m.Request, m.Result, m.At.UnixMilli()).
		Scan(&m.State, &m.Request, &m.Result, &changedAt, &calls)
	if err != nil {
		return participant.Mark{}, false, fmt.Errorf("claim the mark of %s: %w", m.Key, err)
	}
	m.At = time.UnixMilli(changedAt)
	return m, calls == 1, nil
}

// Update implements [participant.Store].
func (s *Store) Update(ctx context.Context, tx pgx.Tx, m participant.Mark) error {
	_, err := tx.Exec(ctx, statements.Update, string(m.State), m.Result, m.At.UnixMilli(), m.Key)
	if err != nil {
		return fmt.Errorf("update the mark of %s: %w", m.Key, err)
	}
	return nil
}

// Prune implements [participant.Store].
func (s *Store) Prune(ctx context.Context, state participant.State, before time.Time) (int64, error) {
	tag, err := s.db.Exec(ctx, statements.Prune, string(state), before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("prune the marks that are %s: %w", state, err)
	}
	return tag.RowsAffected(), nil
}
