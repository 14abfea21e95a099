package participant

import (
	"context"
	"fmt"
)

// Pivot decides that the saga goes forward, unless its fence was first. It runs confirm in the transaction of the
// decision, once; confirm may be nil. Only the verdict Forward says that the pivot has happened, now or earlier.
func Pivot[Tx any](ctx context.Context, s Store[Tx], saga string, confirm func(tx Tx) error) (Verdict, error) {
	return decide(ctx, s, saga, Pivoted, confirm)
}

// Fence makes sure that the pivot never happens, unless it already has. It runs fenced in the transaction of the decision,
// once, for example to show that an order is closing; fenced may be nil. The verdict says what follows: Backward, the
// undos; Forward, the retriable steps; Ended, that the saga was finished before.
func Fence[Tx any](ctx context.Context, s Store[Tx], saga string, fenced func(tx Tx) error) (Verdict, error) {
	return decide(ctx, s, saga, Fenced, fenced)
}

// decide claims the saga's decision for a state, and runs first if it got it.
func decide[Tx any](ctx context.Context, s Store[Tx], saga string, state State, first func(tx Tx) error) (Verdict, error) {
	m, err := NewDecision(saga, state)
	if err != nil {
		return 0, err
	}
	var decided Mark
	err = s.Transact(ctx, func(tx Tx) error {
		stored, claimed, err := s.Claim(ctx, tx, m)
		decided = stored
		if err != nil || !claimed || first == nil {
			return err
		}
		return first(tx)
	})
	if err != nil {
		return 0, err
	}
	return decided.Verdict()
}

// Finish records that the saga is unwound: a fenced saga has Ended. It runs finished in the same transaction, once;
// finished may be nil. A saga whose pivot has happened stays Forward. Without a pivot and a fence, Finish returns
// ErrNotFenced.
func Finish[Tx any](ctx context.Context, s Store[Tx], saga string, finished func(tx Tx) error) (Verdict, error) {
	m, err := NewDecision(saga, Finished)
	if err != nil {
		return 0, err
	}
	var ended Mark
	err = s.Transact(ctx, func(tx Tx) error {
		ended = m
		stored, claimed, err := s.Claim(ctx, tx, m)
		switch {
		case err != nil:
			return err
		case claimed:
			return fmt.Errorf("saga %s: %w", saga, ErrNotFenced) // the rollback takes the claim back
		case stored.State != Fenced:
			ended = stored
			return nil
		}
		if finished != nil {
			if err := finished(tx); err != nil {
				return err
			}
		}
		return s.Update(ctx, tx, m)
	})
	if err != nil {
		return 0, err
	}
	return ended.Verdict()
}
