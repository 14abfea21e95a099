package participant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is what became of a step, or how a saga's end was decided.
type State string

// The states of a mark.
const (
	Done     State = "done"     // the step has taken effect
	Undone   State = "undone"   // the step was taken back, or came too late: the tombstone
	Pivoted  State = "forward"  // the pivot has happened
	Fenced   State = "backward" // the fence was first
	Finished State = "ended"    // the saga was unwound and finished
)

var (
	// ErrUndone is returned for a step whose undo has succeeded: the call came too late. It is final.
	ErrUndone = errors.New("the step came after its undo")
	// ErrKeyReused is returned for a key that was used for something else: a step with another input, or a decision. It is a
	// mistake in the caller's code.
	ErrKeyReused = errors.New("the key was used for something else before")
	// ErrNotFenced is returned by Finish for a saga that has neither a pivot nor a fence.
	ErrNotFenced = errors.New("the saga cannot be finished before its fence")
)

// Mark is what a participant remembers under a key. Only stores, and packages that keep marks without a Store, need to know
// more about it.
type Mark struct {
	Key     string
	State   State
	Request string    // a hash of the step's input; empty if only the undo came
	Result  string    // the step's result as JSON; empty if it has none
	At      time.Time // when the state was reached
}

// NewMark returns the mark of a step. request is what identifies its input, and must survive JSON.
func NewMark(key string, state State, request any) (Mark, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return Mark{}, fmt.Errorf("the input of step %s: %w", key, err)
	}
	hash := sha256.Sum256(text)
	return newMark(Mark{Key: key, State: state, Request: hex.EncodeToString(hash[:])})
}

// NewTombstone returns the mark that an undo leaves. It has no request, since an undo does not know its step's input.
func NewTombstone(key string) (Mark, error) { return newMark(Mark{Key: key, State: Undone}) }

// NewDecision returns the mark of a saga's decision.
func NewDecision(saga string, state State) (Mark, error) {
	return newMark(Mark{Key: saga, State: state})
}

func newMark(m Mark) (Mark, error) {
	if m.Key == "" {
		return Mark{}, errors.New("an empty key")
	}
	m.At = time.Now()
	return m, nil
}

// Replay is the response to call, a repetition of the step that left the mark m: it fills out with the result of the first
// call, or returns ErrUndone or ErrKeyReused.
func (m Mark) Replay(call Mark, out any) error {
	switch {
	case m.State == Undone:
		return fmt.Errorf("step %s: %w", m.Key, ErrUndone)
	case m.Request != call.Request: // a decision has no request
		return fmt.Errorf("step %s: %w", m.Key, ErrKeyReused)
	}
	return m.Decode(out)
}

// Decode fills out with the step's result.
func (m Mark) Decode(out any) error {
	if m.State != Done {
		return fmt.Errorf("step %s: %w", m.Key, ErrKeyReused)
	}
	if err := json.Unmarshal([]byte(m.Result), out); err != nil {
		return fmt.Errorf("the stored result of step %s: %w", m.Key, err)
	}
	return nil
}

// Encode sets the step's result.
func (m *Mark) Encode(result any) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("the result of step %s: %w", m.Key, err)
	}
	m.Result = string(text)
	return nil
}

// Verdict says how a saga ends. Its values are those of saga.Verdict, so saga.Verdict(v) converts it.
type Verdict int

// The verdicts of a pivot, a fence and Finish.
const (
	// Backward: the fence was first, and the pivot will never happen.
	Backward Verdict = iota + 1
	// Forward: the pivot has happened.
	Forward
	// Ended: the saga was unwound and finished.
	Ended
)

func (v Verdict) String() string {
	return [...]string{"no verdict", "backward", "forward", "ended"}[max(0, min(v, Ended))]
}

// Verdict is what the mark of a decision says.
func (m Mark) Verdict() (Verdict, error) {
	switch m.State {
	case Pivoted:
		return Forward, nil
	case Fenced:
		return Backward, nil
	case Finished:
		return Ended, nil
	}
	return 0, fmt.Errorf("the decision of saga %s: %w", m.Key, ErrKeyReused)
}
