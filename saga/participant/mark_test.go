package participant_test

import (
	"errors"
	"testing"

	"github.com/ordersaga/ordersaga/saga/participant"
)

func TestVerdictsHaveNames(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[participant.Verdict]string{
		participant.Backward: "backward", participant.Forward: "forward", participant.Ended: "ended", 0: "no verdict", -1: "no verdict",
	} {
		if got := verdict.String(); got != want {
			t.Errorf("verdict %d is called %q, want %q", verdict, got, want)
		}
	}
}

func TestAMarkOfAStepIsNoDecision(t *testing.T) {
	t.Parallel()
	if v, err := (participant.Mark{State: participant.Done}).Verdict(); err == nil {
		t.Errorf("the verdict is %s, want an error", v)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	key := "trip/BookRoom"
	call, err := participant.NewMark(key, participant.Done, map[string]int{"nights": 2, "guests": 1})
	if err != nil {
		t.Fatal(err)
	}
	same, err := participant.NewMark(key, participant.Done, map[string]int{"guests": 1, "nights": 2})
	if err != nil {
		t.Fatal(err)
	}
	other, err := participant.NewMark(key, participant.Done, map[string]int{"guests": 2, "nights": 2})
	if err != nil {
		t.Fatal(err)
	}
	done := call
	if err := done.Encode("number 7"); err != nil {
		t.Fatal(err)
	}
	undone := done
	undone.State = participant.Undone
	for name, tc := range map[string]struct {
		mark, call participant.Mark
		want       error
	}{
		"a repeated call":              {done, same, nil},
		"a call with another input":    {done, other, participant.ErrKeyReused},
		"a call after the undo":        {undone, same, participant.ErrUndone},
		"another input after the undo": {undone, other, participant.ErrUndone},
	} {
		var result string
		if err := tc.mark.Replay(tc.call, &result); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		} else if err == nil && result != "number 7" {
			t.Errorf("%s gets %q, want number 7", name, result)
		}
	}
}
