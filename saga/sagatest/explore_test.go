package sagatest_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

// settled is a trip for which a refusal is an outcome, not a failure.
func settled(ctx workflow.Context, trip string) (saga.Outcome, error) {
	out, err := tripPlan(trip).Run(ctx, saga.Options{})
	if _, unwound := saga.Unwound(err); unwound {
		return out, nil
	}
	return out, err
}

func TestWorkflowMayReportItsEndAsAResult(t *testing.T) {
	t.Parallel()
	s := trip(settled, func(*agency) {})
	s.Ended = func(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
		var out saga.Outcome
		err := env.GetWorkflowResult(&out)
		return out.End, err
	}
	for _, f := range sagatest.Find(s, sagatest.Bounds{}) {
		t.Error(f)
	}
}

func TestFindingRepeatsUnderItsSchedule(t *testing.T) {
	t.Parallel()
	wrong := mistakes["no tombstone"]
	found := sagatest.Find(wrong, sagatest.Bounds{First: true})
	if len(found) == 0 {
		t.Fatal("nothing found")
	}
	again := sagatest.Find(wrong, sagatest.Bounds{Only: found[0].Schedule})
	if !slices.Contains(again, found[0]) {
		t.Errorf("found %v, and again %v", found, again)
	}
}

func TestScheduleThatDoesNotExistIsReported(t *testing.T) {
	t.Parallel()
	found := sagatest.Find(trip(takeTrip, func(*agency) {}), sagatest.Bounds{Only: "forward: BookTrain#1 refused"})
	if len(found) != 1 || !strings.Contains(found[0].Problem, "no disturbance of a call") {
		t.Errorf("found %v", found)
	}
}

func TestWorldThatShowsNothingIsReported(t *testing.T) {
	t.Parallel()
	s := trip(takeTrip, func(*agency) {})
	world := s.World
	s.World = func() sagatest.World {
		w := world()
		w.InEffect = func() any { return nil }
		return w
	}
	if found := sagatest.Find(s, sagatest.Bounds{}); len(found) != 1 || !strings.Contains(found[0].Problem, "fresh world") {
		t.Errorf("found %v", found)
	}
}

func TestWorkflowThatIsNotDeterministicIsReported(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	s := wrongPlan(func(_ workflow.Context, p *saga.Plan) {
		if runs.Add(1)%2 == 0 {
			p.Steps[0], p.Steps[2] = p.Steps[2], p.Steps[0]
		}
		for i := range p.Steps {
			p.Steps[i].NoFastPath = true
		}
	})
	found := sagatest.Find(s, sagatest.Bounds{})
	if !slices.ContainsFunc(found, func(f sagatest.Finding) bool { return strings.Contains(f.Problem, "deterministic") }) {
		t.Errorf("found %v", found)
	}
}
