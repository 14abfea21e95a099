// Package participanttest checks that a participant of a saga keeps the contract of package participant. The participant may
// be anything that can be called: code that uses that package, an HTTP client of another team's service, a fake.
//
//	func TestHotelKeepsTheContract(t *testing.T) {
//		hotel := open(t)
//		participanttest.Step(t, participanttest.Participant{
//			Do:      func(ctx context.Context, saga string) (string, error) { return hotel.Book(ctx, saga) },
//			Undo:    func(ctx context.Context, saga string) error { return hotel.Cancel(ctx, saga) },
//			Effects: func(ctx context.Context, saga string) (int, error) { return hotel.CountRooms(ctx, saga) },
//			Refused: saga.IsRefused,
//		})
//	}
package participanttest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/saga/participant"
)

// Participant is a step, its undo, and a view of what the step has changed. The suite calls its functions at the same time,
// and for many sagas; their IDs are random letters and digits. There must be enough of what the step takes (rooms, money) for
// 500 sagas.
type Participant struct {
	// Do runs the step of the saga and returns what it returned to the saga, as text. If it returns nothing, the text is
	// empty.
	Do func(ctx context.Context, saga string) (string, error)
	// Undo takes the step back.
	Undo func(ctx context.Context, saga string) error
	// Effects returns how many times the step's effect is in place for the saga: rooms booked, or charges that were not
	// refunded. An effect that was undone twice counts as -1.
	Effects func(ctx context.Context, saga string) (int, error)
	// Refused reports whether an error of Do is a final no.
	Refused func(error) bool
}

// Decision is a pivot, a fence, and the step that finishes an unwound saga.
type Decision struct {
	Pivot, Fence, Finish func(ctx context.Context, saga string) (participant.Verdict, error)
}

// Step checks a step and its undo.
func Step(t *testing.T, p Participant) {
	for _, c := range steps {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			if err := c.check(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
	}
}

// PivotAndFence checks that a pivot and a fence make one decision.
func PivotAndFence(t *testing.T, d Decision) {
	for _, c := range decisions {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			if err := c.check(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
}

// check tests one promise of a participant or a decision.
type check[P any] struct {
	promise string
	check   func(context.Context, P) error
}

const (
	callers = 8  // that call at the same time
	rounds  = 20 // of each race
	// patience bounds the time for which a broken call is repeated, for example when the database reports a conflict.
	patience = 30 * time.Second
	pause    = time.Millisecond // before the first repetition; it doubles each time
)

// newSaga returns the ID of a saga.
func newSaga() string { return "contract" + rand.Text()[:16] }

// persist calls f as a saga would: until it succeeds or is refused, with longer and longer pauses.
func persist[T any](ctx context.Context, f func() (T, error), refused func(error) bool) (result T, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := pause; ; wait *= 2 {
		if result, err = f(); err == nil || refused(err) {
			return result, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return result, fmt.Errorf("still broken after %s: %w", patience, err)
		}
	}
}

func (p Participant) do(ctx context.Context, saga string) (string, error) {
	result, err := persist(ctx, func() (string, error) { return p.Do(ctx, saga) }, p.Refused)
	if err != nil {
		return "", fmt.Errorf("the step: %w", err)
	}
	return result, nil
}

func (p Participant) undo(ctx context.Context, saga string) error {
	_, err := persist(ctx, func() (struct{}, error) { return struct{}{}, p.Undo(ctx, saga) }, never)
	if err != nil {
		return fmt.Errorf("the undo: %w", err)
	}
	return nil
}

func never(error) bool { return false }

// has checks the number of effects that are in place.
func (p Participant) has(ctx context.Context, saga string, want int) error {
	got, err := p.Effects(ctx, saga)
	if err == nil && got != want {
		err = fmt.Errorf("the step's effect is in place %d times, want %d", got, want)
	}
	return err
}

// undoAndCheck undoes the step and checks that it is undone.
func (p Participant) undoAndCheck(ctx context.Context, saga string) error {
	if err := p.undo(ctx, saga); err != nil {
		return err
	}
	return p.isUndone(ctx, saga)
}

// isUndone checks that the step has no effect and is refused from now on.
func (p Participant) isUndone(ctx context.Context, saga string) error {
	if err := p.has(ctx, saga, 0); err != nil {
		return fmt.Errorf("after the undo: %w", err)
	}
	_, err := persist(ctx, func() (string, error) { return p.Do(ctx, saga) }, p.Refused)
	if err == nil {
		return errors.New("a step that came after its undo succeeded, want a refusal")
	}
	if !p.Refused(err) {
		return fmt.Errorf("a step that came after its undo: %w, want a refusal", err)
	}
	if err := p.has(ctx, saga, 0); err != nil {
		return fmt.Errorf("after a step that came after its undo: %w", err)
	}
	return nil
}

// atOnce runs f from several callers at once and joins their errors.
func atOnce(f func(caller int) error) error {
	errs := make([]error, callers)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		all.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	all.Wait()
	return errors.Join(errs...)
}
