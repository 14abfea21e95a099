package sagatest_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
)

func TestTripPlanIsTheReviewedOne(t *testing.T) {
	t.Parallel()
	sagatest.GoldenPlan(t, "testdata/trip.plan", tripPlan("Rome"))
}

// problems is a test that keeps its problems.
type problems struct {
	testing.TB
	all []string
}

func (*problems) Helper() {}

func (p *problems) Errorf(format string, _ ...any) { p.all = append(p.all, format) }

func TestGoldenPlanNoticesEachChange(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*saga.Plan){
		"another order":     func(p *saga.Plan) { p.Steps[0], p.Steps[1] = p.Steps[1], p.Steps[0] },
		"a missing undo":    func(p *saga.Plan) { p.Steps[0].Undo = nil },
		"another timeout":   func(p *saga.Plan) { p.Steps[0].Timeout = time.Hour },
		"a queue":           func(p *saga.Plan) { p.Steps[0].Options = workflow.ActivityOptions{TaskQueue: "air"} },
		"steps together":    func(p *saga.Plan) { p.Steps = []saga.Step{{Name: "Book", Together: p.Steps}} },
		"an optional step":  func(p *saga.Plan) { p.Steps[2].Optional = true },
		"a step that waits": func(p *saga.Plan) { p.Steps[2].WhenFailed = saga.AskForHelp },
		"a retriable step":  func(p *saga.Plan) { p.Retriable = []saga.Step{{Name: "Tell", Do: p.Pivot.Do}} },
		"a retired undo":    func(p *saga.Plan) { p.Retired = []*saga.Undo{{Name: "CancelTrain", Do: p.Pivot.Do}} },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, seen := tripPlan("Rome"), &problems{TB: t}
			change(&p)
			sagatest.GoldenPlan(seen, "testdata/trip.plan", p)
			if len(seen.all) != 1 || !strings.Contains(seen.all[0], "no longer") {
				t.Errorf("problems: %q", seen.all)
			}
		})
	}
}
