package participant

import (
	"context"
	"time"
)

// Store keeps marks in a database with transactions, of type Tx.
type Store[Tx any] interface {
	// Transact runs f in a transaction. It commits when f returns nil; otherwise it rolls back and returns f's error. It may
	// run f again, in a new transaction, when the database aborts one because of others.
	Transact(ctx context.Context, f func(tx Tx) error) error
	// Claim stores m unless there is a mark under its key. It returns the mark that is stored now, and whether it is m. Until
	// the transaction ends, every other Claim of the key waits.
	Claim(ctx context.Context, tx Tx, m Mark) (stored Mark, claimed bool, err error)
	// Update replaces the state, result and time of a mark that the transaction has claimed or found.
	Update(ctx context.Context, tx Tx, m Mark) error
	// Prune removes the marks that reached the state before the given time, and returns their number. See the package
	// comment for when that is safe.
	Prune(ctx context.Context, state State, before time.Time) (int64, error)
}

// Do runs a step in a transaction and keeps its result under the key. A repeated call does not run it again and returns the
// first result. A call after the step's undo returns ErrUndone.
//
// If step returns an error, nothing is stored, and Do returns that error as it is. The result must survive JSON.
//
// The key is the step's idempotency key: saga.Key, or a header that the service got. request is what must be the same in all
// calls with the key, usually the step's input: otherwise the call returns ErrKeyReused. A new version that adds a field to
// the input must leave it out here; nil compares nothing.
func Do[Tx, O any](ctx context.Context, s Store[Tx], key string, request any, step func(tx Tx) (O, error)) (O, error) {
	var out, none O
	m, err := NewMark(key, Done, request)
	if err != nil {
		return none, err
	}
	err = s.Transact(ctx, func(tx Tx) error {
		m := m
		out = none // of an aborted transaction
		stored, claimed, err := s.Claim(ctx, tx, m)
		if err != nil {
			return err
		}
		if !claimed {
			return stored.Replay(m, &out)
		}
		if out, err = step(tx); err != nil {
			return err
		}
		if err := m.Encode(out); err != nil {
			return err
		}
		return s.Update(ctx, tx, m)
	})
	if err != nil {
		return none, err
	}
	return out, nil
}

// Undo takes the step with the key back: undo runs once, in a transaction, with the step's result. When the step has not
// taken effect, or was taken back before, undo does not run and Undo succeeds. Afterwards Do returns ErrUndone.
func Undo[Tx, O any](ctx context.Context, s Store[Tx], key string, undo func(tx Tx, result O) error) error {
	tombstone, err := NewTombstone(key)
	if err != nil {
		return err
	}
	return s.Transact(ctx, func(tx Tx) error {
		stored, claimed, err := s.Claim(ctx, tx, tombstone)
		if err != nil || claimed || stored.State == Undone {
			return err
		}
		var result O
		if err := stored.Decode(&result); err != nil {
			return err
		}
		if err := undo(tx, result); err != nil {
			return err
		}
		stored.State, stored.At = Undone, tombstone.At
		return s.Update(ctx, tx, stored)
	})
}
