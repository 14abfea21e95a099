package sagatest

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/ordersaga/ordersaga/saga"
)

// Disturbance is what happens to calls of an activity. The zero value disturbs nothing.
type Disturbance struct {
	Name  string // in schedules
	About string // what happens, for documents

	Times int           // how many calls it strikes, one after the other; 0: one
	Until time.Duration // if set, it strikes every call until so long after the workflow's start instead

	Error        error  // the call fails with it, before it takes effect
	ResponseLost bool   // the call takes effect, and fails
	Late         Moment // unless it is zero, the call fails and takes effect only then

	// What else happens: when the workflow schedules the activity, before a call takes effect, and after it took effect. A
	// disturbance with OnSchedule does nothing to the call.
	OnSchedule, OnCall, OnEffect func(*Trial)
}

// Moment is when a call that hangs takes effect.
type Moment int

const (
	// AfterFence is right after the fence's activity has taken effect. If that never happens, it is AtEnd.
	AfterFence Moment = iota + 1
	// AtEnd is when the workflow has ended.
	AtEnd
)

// Strike is a disturbance of some calls of an activity.
type Strike struct {
	Activity string
	Call     int // the first call that it strikes, from 1; 0: the first
	Disturbance
}

func (s Strike) String() string { return fmt.Sprintf("%s %s", op{s.Activity, max(s.Call, 1)}, s.Name) }

// ErrBroken is the error of calls that are broken, and of those whose response is lost.
var ErrBroken = errors.New("connection reset")

// outage is how long a short outage lasts: longer than a saga's default patience.
const outage = 12 * time.Minute

// Disturbances returns the disturbances with which the explorer strikes every call.
func (s Saga) Disturbances() []Disturbance {
	s = s.withDefaults()
	late := s.Deadline + time.Minute
	cancel, giveUp := (*Trial).Cancel, (*Trial).GiveUp
	final := temporal.NewNonRetryableApplicationError("a disturbance", "Final", nil)
	out := []Disturbance{
		{Name: "refused", About: "one call is refused", Error: errRefused},
		{Name: "refused twice", About: "two calls are refused", Times: 2, Error: errRefused},
		{Name: "failed for good", About: "one call fails with a non-retryable error that is no refusal", Error: final},
		{Name: "broken three times", About: "three calls fail before they take effect", Times: 3, Error: ErrBroken},
		{Name: "broken in an outage", About: "every call fails for 12 minutes, longer than the saga's patience",
			Until: outage, Error: ErrBroken},
		{Name: "broken past the deadline", About: "every call fails until after the saga's deadline", Until: late, Error: ErrBroken},
		{Name: "broken and retried by an operator", About: "three calls fail, and an operator sends retry each time", Times: 3,
			Error: ErrBroken, OnCall: (*Trial).Retry},
		{Name: "response lost", About: "one call takes effect, and its response is lost", ResponseLost: true},
		{Name: "responses lost past the deadline",
			About: "every call takes effect, and its response is lost, until after the deadline", Until: late, ResponseLost: true},
		{Name: "response lost and cancelled", About: "the same with one call, and the workflow is cancelled",
			ResponseLost: true, OnEffect: cancel},
		{Name: "response lost and given up", About: "the same, and an operator sends compensate", ResponseLost: true, OnEffect: giveUp},
		{Name: "hangs", About: "one call gets no response, and takes effect when all is over", Late: AtEnd},
		{Name: "hangs and cancelled", About: "the same, and the workflow is cancelled while the call hangs", Late: AtEnd, OnCall: cancel},
		{Name: "hangs and given up", About: "the same, and an operator sends compensate", Late: AtEnd, OnCall: giveUp},
		{Name: "cancelled when scheduled", About: "the workflow is cancelled as it schedules the activity", OnSchedule: cancel},
		{Name: "cancelled before", About: "the workflow is cancelled before the call takes effect", OnCall: cancel},
		{Name: "cancelled after", About: "the workflow is cancelled after the call took effect", OnEffect: cancel},
		{Name: "given up", About: "an operator sends compensate after the call took effect", OnEffect: giveUp},
	}
	if s.Fence != "" {
		out = append(out,
			Disturbance{Name: "hangs until the fence",
				About: "one call gets no response, and takes effect between the fence and the undos", Late: AfterFence},
			Disturbance{Name: "hangs until the fence and cancelled", About: "the same, and the workflow is cancelled while the call hangs",
				Late: AfterFence, OnCall: cancel})
	}
	return append(append(out, s.losses()...), s.Further...)
}

var errRefused = saga.Refuse("REFUSED", "a disturbance", nil)

// losses are the ways in which the worker dies.
func (s Saga) losses() []Disturbance {
	lost := []Disturbance{
		dies("task lost", "and the workflow runs again from its history", Loss{}),
		dies("task lost and cancelled", "and the workflow runs again from its history, cancelled", Loss{Cancelled: true}),
		dies("task lost and too late", "and the workflow runs again from its history, past its deadline",
			Loss{Later: s.Deadline + time.Minute}),
	}
	changed := "task lost, "
	if s.Fence != "" {
		lost = append(lost,
			dies("all forgotten", "and the workflow is reset to its beginning", Loss{Forget: true}),
			dies("all forgotten and cancelled", "and the workflow is reset to its beginning and cancelled",
				Loss{Forget: true, Cancelled: true}),
			dies("all forgotten and too late", "and the workflow is reset to its beginning, past its deadline",
				Loss{Forget: true, Later: s.Deadline + time.Minute}))
		changed = "all forgotten, "
	}
	for i, c := range s.World().Changes {
		lost = append(lost, Disturbance{Name: changed + c.Name, About: death + "and when the workflow runs again, " + c.About,
			OnEffect: func(x *Trial) {
				x.Lose(Loss{Forget: s.Fence != "", Later: c.Later, Change: x.world.Changes[i].Make})
			}})
	}
	if s.Recover != nil {
		lost = append(lost, dies("terminated", "and the workflow is terminated: the recovery workflow runs", Loss{Terminated: true}))
	}
	return lost
}

const death = "the worker dies after the call took effect, "

func dies(name, about string, l Loss) Disturbance {
	return Disturbance{Name: name, About: death + about, OnEffect: func(x *Trial) { x.Lose(l) }}
}

// Loss is the death of a worker, and what is then different.
type Loss struct {
	Forget     bool          // the workflow is reset to its beginning; otherwise it runs again from its history
	Cancelled  bool          // the workflow is cancelled before it runs again
	Terminated bool          // the workflow is terminated, and Saga.Recover runs instead
	Later      time.Duration // how much later it runs again
	Change     func()        // changes the world before it runs again; may be nil
}

// Change is how the world may have changed when a workflow runs again after its worker died: a price is another, a hold has
// expired.
type Change struct {
	Name  string
	About string        // what is different, for documents: "the price is another one"
	Later time.Duration // how much later the workflow runs again
	Make  func()        // makes the change; may be nil
}
