package participanttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// steps are the promises of a step and its undo.
var steps = []check[Participant]{
	{"a step that is repeated takes effect once and returns the first result", repeated},
	{"a step that is called several times at once takes effect once, with one result", calledAtOnce},
	{"a step whose call was given up takes effect once when it is repeated", givenUp},
	{"a step whose call was given up is undone", givenUpAndUndone},
	{"an undo that is repeated takes back once", undoneTwice},
	{"an undo that is called several times at once takes back once", undoneAtOnce},
	{"an undo without its step succeeds, and the step is refused later", undoneFirst},
	{"when a step and its undo race, the step is undone or refused", undoneMeanwhile},
	{"sagas do not disturb each other", apart},
}

func repeated(ctx context.Context, p Participant) error {
	saga := newSaga()
	first, err := p.do(ctx, saga)
	if err != nil {
		return err
	}
	for range 3 {
		again, err := p.do(ctx, saga)
		if err != nil {
			return fmt.Errorf("a repetition of %w", err)
		}
		if again != first {
			return fmt.Errorf("the step returned %q, repeated %q", first, again)
		}
	}
	return p.has(ctx, saga, 1)
}

func calledAtOnce(ctx context.Context, p Participant) error {
	for range rounds {
		saga := newSaga()
		var results [callers]string
		err := atOnce(func(i int) (err error) {
			results[i], err = p.do(ctx, saga)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range results {
			if r != results[0] {
				return fmt.Errorf("of two calls, one returned %q, one %q", results[0], r)
			}
		}
		if err := p.has(ctx, saga, 1); err != nil {
			return err
		}
	}
	return nil
}

// giveUp calls the step, and ends the call's context at any point of the way. The response is lost, and whether the step
// took effect is unknown.
func (p Participant) giveUp(ctx context.Context, saga string) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(rand.Int64N(int64(5*time.Millisecond))))
	defer cancel()
	_, _ = p.Do(ctx, saga)
}

func givenUp(ctx context.Context, p Participant) error {
	for range rounds {
		saga := newSaga()
		p.giveUp(ctx, saga)
		if _, err := p.do(ctx, saga); err != nil {
			return err
		}
		if err := p.has(ctx, saga, 1); err != nil {
			return err
		}
	}
	return nil
}

func givenUpAndUndone(ctx context.Context, p Participant) error {
	for range rounds {
		saga := newSaga()
		p.giveUp(ctx, saga)
		if err := p.undoAndCheck(ctx, saga); err != nil {
			return err
		}
	}
	return nil
}

func undoneTwice(ctx context.Context, p Participant) error {
	saga := newSaga()
	if _, err := p.do(ctx, saga); err != nil {
		return err
	}
	for range 3 {
		if err := p.undoAndCheck(ctx, saga); err != nil {
			return err
		}
	}
	return nil
}

func undoneAtOnce(ctx context.Context, p Participant) error {
	for range rounds {
		saga := newSaga()
		if _, err := p.do(ctx, saga); err != nil {
			return err
		}
		if err := atOnce(func(int) error { return p.undo(ctx, saga) }); err != nil {
			return err
		}
		if err := p.isUndone(ctx, saga); err != nil {
			return err
		}
	}
	return nil
}

func undoneFirst(ctx context.Context, p Participant) error {
	saga := newSaga()
	for range 2 {
		if err := p.undoAndCheck(ctx, saga); err != nil {
			return err
		}
	}
	return nil
}

func undoneMeanwhile(ctx context.Context, p Participant) error {
	for range rounds {
		saga := newSaga()
		err := atOnce(func(i int) error {
			if i%2 == 0 {
				return p.undo(ctx, saga)
			}
			if _, err := p.do(ctx, saga); err != nil && !p.Refused(err) {
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.isUndone(ctx, saga); err != nil {
			return err
		}
	}
	return nil
}

func apart(ctx context.Context, p Participant) error {
	kept, undone := newSaga(), newSaga()
	for _, saga := range []string{kept, undone} {
		if _, err := p.do(ctx, saga); err != nil {
			return err
		}
	}
	if err := p.undoAndCheck(ctx, undone); err != nil {
		return err
	}
	if err := p.has(ctx, kept, 1); err != nil {
		return fmt.Errorf("after the undo of another saga: %w", err)
	}
	return nil
}
