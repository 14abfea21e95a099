package workflows_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestAnyOrderUnderAnyScheduleKeepsEveryInvariant runs the real workflow under random schedules of up to eight
// disturbances: lost tasks, each followed by a world that has changed, calls that hang (several at a time) and take effect
// after the fence, cancellation, the deadline, an expired hold, termination and recovery. Finally the workflow is reset and
// runs once more from its start, which must change nothing.
func TestAnyOrderUnderAnyScheduleKeepsEveryInvariant(t *testing.T) {
	t.Parallel()
	for i := range campaigns {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, anySchedule)
		})
	}
}

func anySchedule(t *rapid.T) {
	w, req := newWorld(), request(rapid.SampledFrom([]string{visa, visa, visa, broke}).Draw(t, "payment method"))
	ops := append(append([]string{}, forwardSteps...), undoSteps...)
	for range rapid.IntRange(0, 8).Draw(t, "disturbances") {
		op := rapid.SampledFrom(ops).Draw(t, "operation")
		m := rapid.SampledFrom(manners()).Draw(t, "manner")
		t.Log(op, m.name)
		m.strike(w, op)
	}
	if rapid.IntRange(0, 3).Draw(t, "the hold is lost") == 0 {
		paths[1].prepare(w)
	}
	report := func(wrong []string) {
		for _, v := range wrong {
			t.Error(v)
		}
	}
	report(w.live(req))
	before, _ := w.Memory.Order(t.Context(), req.ID)

	w.faults, w.plans = map[string][]fault{}, map[string][]func(){}
	w.recovering = rapid.Bool().Draw(t, "recovered rather than reset")
	w.run++
	w.asleep = rapid.Bool().Draw(t, "reset and cancelled")
	w.log = append(w.log, entry{run: w.run, kind: rerun})
	report(w.live(req))
	if after, _ := w.Memory.Order(t.Context(), req.ID); after.Status != before.Status || after.Reason() != before.Reason() {
		t.Errorf("run again, the order is %s (%s), it was %s (%s)", after.Status, after.Reason(), before.Status, before.Reason())
	}
}
