package participanttest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/saga/participant"
)

// Database is a store of marks, beside a table (saga, amount) that the suite uses for the effects of its steps. The tests
// share both.
type Database[Tx any] struct {
	Store participant.Store[Tx]
	Add   func(ctx context.Context, tx Tx, saga string, amount int) error // inserts a row
	Sum   func(ctx context.Context, saga string) (int, error)             // of the saga's amounts; 0 without a row
}

// Store checks a store of marks. It is for those who write one.
func Store[Tx any](t *testing.T, d Database[Tx]) {
	t.Run("a step and its undo", func(t *testing.T) { Step(t, d.participant()) })
	t.Run("a pivot and a fence", func(t *testing.T) { PivotAndFence(t, d.decision()) })
	for name, test := range map[string]func(*testing.T, Database[Tx]){
		"a step that fails leaves nothing behind":                   failedStep[Tx],
		"a key with another input is refused":                       keyReused[Tx],
		"a key is not empty":                                        emptyKeys[Tx],
		"a step and a decision under one key are refused":           oneKey[Tx],
		"an input or a result that JSON cannot hold is an error":    notJSON[Tx],
		"an undo gets the step's result":                            undoGetsResult[Tx],
		"an undo that fails leaves the step done":                   failedUndo[Tx],
		"an undo that comes while its step runs waits, then undoes": undoWaits[Tx],
		"a step that comes while its undo runs waits, then is late": stepWaits[Tx],
		"a decision and what goes with it are one transaction":      decisionWithEffect[Tx],
		"a decision that fails leaves nothing behind":               failedDecision[Tx],
		"only old marks of the state are pruned":                    pruned[Tx],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

func (d Database[Tx]) key(saga string) string { return saga + "/add" }

// do is a step that adds 1 and returns a random text.
func (d Database[Tx]) do(ctx context.Context, saga string) (string, error) {
	return participant.Do(ctx, d.Store, d.key(saga), "in", func(tx Tx) (string, error) {
		return rand.Text(), d.Add(ctx, tx, saga, 1)
	})
}

// undo adds -1.
func (d Database[Tx]) undo(ctx context.Context, saga string) error {
	return participant.Undo(ctx, d.Store, d.key(saga), func(tx Tx, _ string) error { return d.Add(ctx, tx, saga, -1) })
}

func (d Database[Tx]) participant() Participant {
	return Participant{
		Do: d.do, Undo: d.undo, Effects: d.Sum,
		Refused: func(err error) bool { return errors.Is(err, participant.ErrUndone) },
	}
}

func (d Database[Tx]) decision() Decision {
	return Decision{
		Pivot: func(ctx context.Context, saga string) (participant.Verdict, error) {
			return participant.Pivot(ctx, d.Store, saga, nil)
		},
		Fence: func(ctx context.Context, saga string) (participant.Verdict, error) {
			return participant.Fence(ctx, d.Store, saga, nil)
		},
		Finish: func(ctx context.Context, saga string) (participant.Verdict, error) {
			return participant.Finish(ctx, d.Store, saga, nil)
		},
	}
}

func (d Database[Tx]) wantSum(t *testing.T, saga string, want int) {
	t.Helper()
	got, err := d.Sum(t.Context(), saga)
	if err != nil || got != want {
		t.Errorf("the sum is %d, %v, want %d", got, err, want)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got the error %v, want %v", err, want)
	}
}

var errTest = errors.New("an error of the step")

func failedStep[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	_, err := participant.Do(t.Context(), d.Store, d.key(saga), "in", func(tx Tx) (string, error) {
		return "result", errors.Join(d.Add(t.Context(), tx, saga, 1), errTest)
	})
	wantError(t, err, errTest)
	d.wantSum(t, saga, 0)
	if _, err := d.do(t.Context(), saga); err != nil {
		t.Error(err)
	}
	d.wantSum(t, saga, 1)
}

func keyReused[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	if _, err := d.do(t.Context(), saga); err != nil {
		t.Fatal(err)
	}
	_, err := participant.Do(t.Context(), d.Store, d.key(saga), "another input", func(tx Tx) (string, error) {
		return "", d.Add(t.Context(), tx, saga, 1)
	})
	wantError(t, err, participant.ErrKeyReused)
	d.wantSum(t, saga, 1)
}

func emptyKeys[Tx any](t *testing.T, d Database[Tx]) {
	if _, err := participant.Do(t.Context(), d.Store, "", "in", func(Tx) (string, error) { return "", nil }); err == nil {
		t.Error("an empty key is accepted for a step")
	}
	if err := participant.Undo(t.Context(), d.Store, "", func(Tx, string) error { return nil }); err == nil {
		t.Error("an empty key is accepted for an undo")
	}
	if v, err := participant.Pivot(t.Context(), d.Store, "", nil); err == nil {
		t.Errorf("a pivot without a saga says %s", v)
	}
	if v, err := participant.Finish(t.Context(), d.Store, "", nil); err == nil {
		t.Errorf("finish without a saga says %s", v)
	}
}

// oneKey uses one key for a step and for a decision.
func oneKey[Tx any](t *testing.T, d Database[Tx]) {
	step, decision := newSaga()+"/add", newSaga()
	add := func(Tx) (int, error) { return 1, nil }
	undo := func(Tx, int) error { return nil }
	if _, err := participant.Do(t.Context(), d.Store, step, nil, add); err != nil {
		t.Fatal(err)
	}
	if _, err := participant.Fence(t.Context(), d.Store, decision, nil); err != nil {
		t.Fatal(err)
	}
	_, pivot := participant.Pivot(t.Context(), d.Store, step, nil)
	_, finish := participant.Finish(t.Context(), d.Store, step, nil)
	_, do := participant.Do(t.Context(), d.Store, decision, nil, add)
	for _, err := range []error{pivot, finish, do, participant.Undo(t.Context(), d.Store, decision, undo)} {
		wantError(t, err, participant.ErrKeyReused)
	}
}

func notJSON[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	add := func(tx Tx) (chan int, error) { return make(chan int), d.Add(t.Context(), tx, saga, 1) }
	if _, err := participant.Do(t.Context(), d.Store, d.key(saga), make(chan int), add); err == nil {
		t.Error("a channel is accepted as the input")
	}
	if _, err := participant.Do(t.Context(), d.Store, d.key(saga), "in", add); err == nil {
		t.Error("a channel is accepted as the result")
	}
	d.wantSum(t, saga, 0)
	if _, err := d.do(t.Context(), saga); err != nil {
		t.Error(err)
	}
	if err := participant.Undo(t.Context(), d.Store, d.key(saga), func(Tx, int) error { return nil }); err == nil {
		t.Error("an undo takes the step's text for a number")
	}
	d.wantSum(t, saga, 1)
}

// ticket is a result with text that a database may find hard to keep.
type ticket struct {
	Number string
	Nights []int
}

func undoGetsResult[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	want := ticket{"nul\x00 and \U0001F375", []int{1, 2}}
	for range 2 {
		got, err := participant.Do(t.Context(), d.Store, d.key(saga), "in", func(Tx) (ticket, error) { return want, nil })
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the step returns %v, %v, want %v", got, err, want)
		}
	}
	calls := 0
	for range 2 {
		err := participant.Undo(t.Context(), d.Store, d.key(saga), func(_ Tx, got ticket) error {
			calls++
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the undo gets %v, want %v", got, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if calls != 1 {
		t.Errorf("the undo ran %d times, want once", calls)
	}
}

func failedUndo[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	first, err := d.do(t.Context(), saga)
	if err != nil {
		t.Fatal(err)
	}
	err = participant.Undo(t.Context(), d.Store, d.key(saga), func(tx Tx, _ string) error {
		return errors.Join(d.Add(t.Context(), tx, saga, -1), errTest)
	})
	wantError(t, err, errTest)
	d.wantSum(t, saga, 1)
	if again, err := d.do(t.Context(), saga); err != nil || again != first {
		t.Errorf("the step returns %q, %v after an undo that failed, want %q", again, err, first)
	}
}

// undoWaits starts the undo while the step is at work in its transaction. When the undo does not wait, it returns before
// the step ends, and the step's effect stays.
func undoWaits[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	var undone sync.WaitGroup
	var undoErr error
	_, err := participant.Do(t.Context(), d.Store, d.key(saga), "in", func(tx Tx) (string, error) {
		undone.Go(func() { undoErr = d.participant().undo(t.Context(), saga) })
		return "", d.Add(t.Context(), tx, saga, 1)
	})
	undone.Wait()
	if err := errors.Join(err, undoErr); err != nil {
		t.Fatal(err)
	}
	if err := d.participant().isUndone(t.Context(), saga); err != nil {
		t.Error(err)
	}
}

func stepWaits[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	if _, err := d.do(t.Context(), saga); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	var doErr error
	err := participant.Undo(t.Context(), d.Store, d.key(saga), func(tx Tx, _ string) error {
		done.Go(func() { _, doErr = d.participant().do(t.Context(), saga) })
		return d.Add(t.Context(), tx, saga, -1)
	})
	done.Wait()
	if err != nil {
		t.Error(err)
	}
	if !errors.Is(doErr, participant.ErrUndone) {
		t.Errorf("the step: %v, want ErrUndone", doErr)
	}
	if err := d.participant().isUndone(t.Context(), saga); err != nil {
		t.Error(err)
	}
}

func decisionWithEffect[Tx any](t *testing.T, d Database[Tx]) {
	forward, backward := newSaga(), newSaga()
	var calls atomic.Int32
	add := func(saga string, amount int) func(Tx) error {
		return func(tx Tx) error {
			calls.Add(1)
			return d.Add(t.Context(), tx, saga, amount)
		}
	}
	for range 2 {
		want := map[string]participant.Verdict{"the pivot": participant.Forward, "the fence": participant.Backward}
		for name, f := range map[string]func() (participant.Verdict, error){
			"the pivot": func() (participant.Verdict, error) {
				return participant.Pivot(t.Context(), d.Store, forward, add(forward, 1))
			},
			"the fence": func() (participant.Verdict, error) {
				return participant.Fence(t.Context(), d.Store, backward, add(backward, 10))
			},
		} {
			if got, err := f(); err != nil || got != want[name] {
				t.Errorf("%s says %s, %v, want %s", name, got, err, want[name])
			}
		}
	}
	for _, saga := range []string{forward, backward, backward} {
		if _, err := participant.Finish(t.Context(), d.Store, saga, add(saga, 100)); err != nil {
			t.Error(err)
		}
	}
	d.wantSum(t, forward, 1)
	d.wantSum(t, backward, 110)
	if n := calls.Load(); n != 3 {
		t.Errorf("%d functions ran, want 3", n)
	}
}

func failedDecision[Tx any](t *testing.T, d Database[Tx]) {
	saga := newSaga()
	fail := func(tx Tx) error { return errors.Join(d.Add(t.Context(), tx, saga, 1), errTest) }
	_, err := participant.Pivot(t.Context(), d.Store, saga, fail)
	wantError(t, err, errTest)
	if v, err := participant.Fence(t.Context(), d.Store, saga, nil); err != nil || v != participant.Backward {
		t.Errorf("the fence after a pivot that failed says %s, %v, want backward", v, err)
	}
	_, err = participant.Finish(t.Context(), d.Store, saga, fail)
	wantError(t, err, errTest)
	if v, err := participant.Fence(t.Context(), d.Store, saga, nil); err != nil || v != participant.Backward {
		t.Errorf("the fence after finish failed says %s, %v, want backward", v, err)
	}
	d.wantSum(t, saga, 0)
}

// pruned stores marks of a time before all other tests, which it may then remove.
func pruned[Tx any](t *testing.T, d Database[Tx]) {
	ctx, saga := t.Context(), newSaga()
	before := time.Now().Add(-24 * time.Hour)
	claim := func(step string, state participant.State, at time.Time) (claimed bool) {
		m := participant.Mark{Key: saga + "/" + step, State: state, Result: `""`, At: at}
		err := d.Store.Transact(ctx, func(tx Tx) (err error) {
			_, claimed, err = d.Store.Claim(ctx, tx, m)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return claimed
	}
	claim("old", participant.Undone, before.Add(-time.Hour))
	claim("young", participant.Undone, before.Add(time.Hour))
	claim("done", participant.Done, before.Add(-time.Hour))
	n, err := d.Store.Prune(ctx, participant.Undone, before)
	if err != nil || n != 1 {
		t.Errorf("pruned %d marks, %v, want 1", n, err)
	}
	var gone []string
	for _, step := range []string{"old", "young", "done"} {
		if claim(step, participant.Undone, time.Now()) {
			gone = append(gone, step)
		}
	}
	if fmt.Sprint(gone) != "[old]" {
		t.Errorf("the marks that are gone: %q, want only the old tombstone", gone)
	}
}

// Broken checks that a store whose database does not work returns errors, and runs nothing.
func Broken[Tx any](t *testing.T, s participant.Store[Tx]) {
	ctx, key := t.Context(), newSaga()
	runs := func(Tx) error {
		t.Error("a function ran without its mark")
		return nil
	}
	_, step := participant.Do(ctx, s, key, "in", func(tx Tx) (int, error) { return 0, runs(tx) })
	undo := participant.Undo(ctx, s, key, func(tx Tx, _ int) error { return runs(tx) })
	_, pivot := participant.Pivot(ctx, s, key, runs)
	_, fence := participant.Fence(ctx, s, key, runs)
	_, finish := participant.Finish(ctx, s, key, runs)
	_, prune := s.Prune(ctx, participant.Undone, time.Now())
	for name, err := range map[string]error{
		"a step": step, "an undo": undo, "a pivot": pivot, "a fence": fence, "finish": finish, "prune": prune,
	} {
		if err == nil || errors.Is(err, participant.ErrUndone) || errors.Is(err, participant.ErrNotFenced) {
			t.Errorf("%s without a database: %v, want an error of the database", name, err)
		}
	}
}
