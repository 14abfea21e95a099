package saga_test

import (
	"slices"
	"testing"
)

func TestStepsBesideOneAnotherAreDoneBeforeTheNextAndUndoneLastFirst(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.refuse = "D"
	all := map[string]bool{"A": true, "B": true, "C": true}
	runToEnd(t, newEnv(l), shape{Steps: []string{"A", "B", "C", "D"}, Undoable: all, Beside: map[string]bool{"B": true, "C": true}})
	if want := []string{"-C", "-B", "-A", "finish"}; !l.finished || len(l.log) != 7 || !slices.Equal(l.log[3:], want) {
		t.Errorf("%v, want three steps in any order, then %v", l.log, want)
	}
}

func TestStepThatIsRefusedBesideABrokenOneIsTheCauseAndTheOtherComesBackBeforeTheUndos(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.refuse, l.faults["A"] = "B", broken() // A would be tried for weeks
	runToEnd(t, newEnv(l), shape{
		Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true}, Beside: map[string]bool{"B": true},
	})
	if !l.finished || !l.tombstone["A"] {
		t.Errorf("finished %t, %v", l.finished, l.log)
	}
}
