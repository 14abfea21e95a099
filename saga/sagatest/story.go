package sagatest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersaga/ordersaga/saga"
)

// Story is what happened in a trial.
type Story struct {
	End    saga.End
	Err    error           // the workflow's
	Result func(any) error // reads the workflow's result into what the argument points to
	Events []Event         // in order
}

// Event is something that happened in a trial.
type Event struct {
	Kind   EventKind
	Run    int // how often the worker had died before
	At     time.Time
	Name   string // of the activity, the signal or the update
	Args   []any  // of Called and TookEffect, as the activity got them
	Result any    // of TookEffect
	Err    error  // of Received
}

// EventKind is a kind of Event.
type EventKind string

// The kinds of events.
const (
	Scheduled  EventKind = "scheduled"   // the workflow asked for the activity
	Called     EventKind = "called"      // an attempt of the activity began
	TookEffect EventKind = "took effect" // an attempt of the activity succeeded, perhaps late and without a response
	Received   EventKind = "received"    // the workflow received the activity's result, which is Err or success
	Cancelled  EventKind = "cancelled"   // the workflow was asked to cancel
	Signalled  EventKind = "signalled"   // the workflow received the signal
	Updated    EventKind = "updated"     // the workflow received the update
	RunAgain   EventKind = "run again"   // the worker died or the workflow was reset, and it runs again
	Recovered  EventKind = "recovered"   // the workflow was terminated, and Saga.Recover runs
)

// AnyRun selects the events of all runs.
const AnyRun = -1

// First returns the index of the first event of this kind, in the run or in [AnyRun], with one of the names, or with any if
// there are none. It returns -1 if there is no such event.
func (s Story) First(run int, kind EventKind, names ...string) int {
	return slices.IndexFunc(s.Events, func(e Event) bool {
		return e.Kind == kind && (run == AnyRun || e.Run == run) && (len(names) == 0 || slices.Contains(names, e.Name))
	})
}

// Happened reports whether there is such an event. See [Story.First].
func (s Story) Happened(run int, kind EventKind, names ...string) bool {
	return s.First(run, kind, names...) >= 0
}

// Calls returns how often the activity was called.
func (s Story) Calls(activity string) int {
	n := 0
	for _, e := range s.Events {
		if e.Kind == Called && e.Name == activity {
			n++
		}
	}
	return n
}

// Runs returns how often the workflow ran: once, and again after each death of its worker.
func (s Story) Runs() int {
	last := 0
	for _, e := range s.Events {
		last = max(last, e.Run)
	}
	return last + 1
}

// Invariant is a promise about an ended saga.
type Invariant struct {
	Name  string
	Holds func(Story) error // what is wrong, or nil
}

// InOrder is the promise that in each run the activities are first attempted in this order, if at all. Later
// attempts do not count: an undo that stays broken does not hold up the others.
func InOrder(activities ...string) Invariant {
	return Invariant{"in order: " + strings.Join(activities, ", "), func(s Story) error {
		for run := range s.Runs() {
			last := -1
			for i, name := range activities {
				first := s.First(run, Called, name)
				if first >= 0 && first < last {
					return fmt.Errorf("%s came after a later one of %s", name, strings.Join(activities[:i], ", "))
				}
				last = max(last, first)
			}
		}
		return nil
	}}
}
