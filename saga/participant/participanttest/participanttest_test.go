package participanttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ordersaga/ordersaga/saga/participant"
)

var errFull = errors.New("refused")

// hotel is a participant in memory, right or with one mistake.
type hotel struct {
	mistake string

	mu       sync.Mutex
	next     int
	bookings map[string]*booking
}

type booking struct {
	number, rooms int
	done, undone  bool
}

func (h *hotel) has(mistake string) bool { return h.mistake == mistake }

func (h *hotel) booking(saga string) *booking {
	if h.has("one key for all sagas") {
		saga = ""
	}
	if h.bookings == nil {
		h.bookings = map[string]*booking{}
	}
	if h.bookings[saga] == nil {
		h.bookings[saga] = &booking{}
	}
	return h.bookings[saga]
}

// pause lets others in between reading and writing.
func (h *hotel) pause() {
	h.mu.Unlock()
	runtime.Gosched()
	h.mu.Lock()
}

func (h *hotel) do(ctx context.Context, saga string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.booking(saga)
	switch {
	case b.undone && h.has("a late step is called a success"):
		return fmt.Sprint(b.number), nil
	case b.undone && h.has("a late step is always broken"):
		return "", errors.New("undone")
	case b.undone && !h.has("no tombstone"):
		return "", errFull
	case b.done && h.has("a repeated step has no result"):
		return "", nil
	case b.done && !h.has("no idempotency key"):
		return fmt.Sprint(b.number), nil
	}
	if h.has("a step reads, then writes") {
		h.pause()
	}
	h.next++
	b.number, b.done = h.next, true
	b.rooms++
	return fmt.Sprint(b.number), nil
}

func (h *hotel) undo(ctx context.Context, saga string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.booking(saga)
	switch {
	case !b.done && h.has("an undo without a step fails"):
		return errors.New("no such booking")
	case !b.done && h.has("an undo without a step leaves no tombstone"):
		return nil
	case b.undone && !h.has("an undo is not remembered"):
		return nil
	}
	if h.has("an undo reads, then writes") {
		h.pause()
	}
	if b.done && !h.has("an undo takes nothing back") || !b.done && h.has("an undo takes back what never was") {
		b.rooms--
	}
	b.undone = true
	return nil
}

func (h *hotel) participant() Participant {
	return Participant{
		Do: h.do, Undo: h.undo, Refused: func(err error) bool { return errors.Is(err, errFull) },
		Effects: func(_ context.Context, saga string) (int, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.booking(saga).rooms, nil
		},
	}
}

func TestARightParticipantPasses(t *testing.T) {
	t.Parallel()
	Step(t, (&hotel{}).participant())
}

func TestEachMistakeOfAParticipantIsFound(t *testing.T) {
	t.Parallel()
	for _, mistake := range []string{
		"no idempotency key", "a step reads, then writes", "a repeated step has no result", "no tombstone",
		"a late step is called a success", "a late step is always broken", "an undo without a step fails",
		"an undo without a step leaves no tombstone", "an undo is not remembered", "an undo reads, then writes",
		"an undo takes nothing back", "an undo takes back what never was", "one key for all sagas",
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the suite's patience takes no time
				for _, c := range steps {
					if err := c.check(t.Context(), (&hotel{mistake: mistake}).participant()); err != nil {
						return
					}
				}
				t.Error("the suite passes")
			})
		})
	}
}

// book makes the decisions of sagas, right or with one mistake.
type book struct {
	mistake string

	mu       sync.Mutex
	verdicts map[string]participant.Verdict
}

// decide sets the verdict of a saga to want if it is one of from.
func (b *book) decide(saga string, want participant.Verdict, from ...participant.Verdict) (participant.Verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.verdicts[saga]
	if b.mistake == "decisions read, then write" {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
	}
	for _, f := range from {
		if f == now {
			if b.verdicts == nil {
				b.verdicts = map[string]participant.Verdict{}
			}
			b.verdicts[saga], now = want, want
		}
	}
	if now == 0 {
		return 0, participant.ErrNotFenced
	}
	return now, nil
}

func (b *book) decision() Decision {
	pivot, fence, finish := []participant.Verdict{0}, []participant.Verdict{0}, []participant.Verdict{participant.Backward}
	switch b.mistake {
	case "the pivot does not see the fence":
		pivot = append(pivot, participant.Backward)
	case "the fence does not see the pivot":
		fence = append(fence, participant.Forward)
	case "finish ends a saga that went forward":
		finish = append(finish, participant.Forward)
	case "finish needs no fence":
		finish = append(finish, 0)
	}
	return Decision{
		Pivot: func(_ context.Context, saga string) (participant.Verdict, error) {
			return b.decide(saga, participant.Forward, pivot...)
		},
		Fence: func(_ context.Context, saga string) (participant.Verdict, error) {
			return b.decide(saga, participant.Backward, fence...)
		},
		Finish: func(_ context.Context, saga string) (participant.Verdict, error) {
			return b.decide(saga, participant.Ended, finish...)
		},
	}
}

func TestARightDecisionPasses(t *testing.T) {
	t.Parallel()
	PivotAndFence(t, (&book{}).decision())
}

func TestEachMistakeOfADecisionIsFound(t *testing.T) {
	t.Parallel()
	for _, mistake := range []string{
		"the pivot does not see the fence", "the fence does not see the pivot", "finish ends a saga that went forward",
		"finish needs no fence", "decisions read, then write",
	} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the suite's patience takes no time
				for _, c := range decisions {
					if err := c.check(t.Context(), (&book{mistake: mistake}).decision()); err != nil {
						return
					}
				}
				t.Error("the suite passes")
			})
		})
	}
}
