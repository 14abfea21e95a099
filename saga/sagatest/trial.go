package sagatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
)

// Trial is one saga with its disturbances. It outlives the runs of the workflow.
type Trial struct {
	saga   Saga
	refuse op
	world  World

	mu         sync.Mutex // held while an activity takes effect, so that effects come one at a time
	env        *testsuite.TestWorkflowEnvironment
	start      time.Time
	run        int
	over       bool // calls that the workflow abandoned find nothing to act on
	dead       bool // the worker of this run has died: it does and records nothing more
	loss       Loss // how it died
	recovering bool // Saga.Recover runs
	strikes    []strike
	asked      map[string]int // schedulings, by activity
	counts     map[string]int // calls, by activity
	ops        []op
	late       []lateCall
	events     []Event
	tookHold   map[string]bool  // calls, with their arguments, that have taken effect or may do so late
	lines      map[string]*line // of the current run, by workflow ID
	past       map[string]history
	strays     string // in what the workflow was not deterministic
}

// strike is a disturbance and how many calls it still strikes.
type strike struct {
	Strike
	left int
}

// lateCall is a call that hangs.
type lateCall struct {
	at     Moment
	effect func()
}

func newTrial(s Saga, c schedule) *Trial {
	x := &Trial{saga: s, refuse: c.path.refuse, world: s.World(), asked: map[string]int{}, counts: map[string]int{},
		past: map[string]history{}, tookHold: map[string]bool{}}
	for _, s := range c.strikes {
		x.strikes = append(x.strikes, strike{s, max(s.Times, 1)})
	}
	if x.world.Clock != nil {
		x.world.Clock(func() time.Time { return x.env.Now() })
	}
	return x
}

// command is what the explorer's operator sends.
var command = saga.Command{Operator: "sagatest", Reason: "a disturbance"}

// Cancel asks the workflow to cancel. Only disturbances call it and the other methods.
func (x *Trial) Cancel() {
	x.note(Event{Kind: Cancelled})
	x.env.CancelWorkflow()
}

// GiveUp sends the signal compensate.
func (x *Trial) GiveUp() { x.env.SignalWorkflow(saga.SignalCompensate, command) }

// Retry sends the signal retry.
func (x *Trial) Retry() { x.env.SignalWorkflow(saga.SignalRetry, command) }

// Lose ends the run: its worker is dead.
func (x *Trial) Lose(l Loss) { x.dead, x.loss = true, l }

// note keeps an event of the current run. It is called with mu held.
func (x *Trial) note(e Event) {
	e.Run = x.run
	x.keep(e)
}

func (x *Trial) keep(e Event) {
	if x.env != nil {
		e.At = x.env.Now()
	}
	x.events = append(x.events, e)
}

// live runs the workflow, again each time its worker dies, until a run ends. It returns what happened, and what is wrong with
// how the workflow ended.
func (x *Trial) live() (Story, string) {
	for {
		lost, story, problem := x.once()
		if lost {
			x.restart(x.loss)
			continue
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		x.over = true
		x.land(AtEnd)
		story.Events = slices.Clone(x.events)
		return story, problem
	}
}

// again runs the ended workflow once more, undisturbed.
func (x *Trial) again(how afterwards) (Story, string) {
	x.mu.Lock()
	x.strikes, x.over = nil, false
	x.mu.Unlock()
	x.restart(Loss{Forget: true, Cancelled: how == isResetAndCancelled, Terminated: how == isRecoveredByAnother})
	return x.live()
}

// restart prepares the next run. Calls of the last one may still be coming.
func (x *Trial) restart(l Loss) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.run++
	x.dead, x.loss = false, l
	kind := RunAgain
	switch {
	case l.Terminated:
		x.recovering, kind = true, Recovered
		clear(x.past)
	case l.Forget:
		clear(x.past)
	default:
		for id, l := range x.lines {
			x.past[id] = l.remembered()
		}
	}
	x.note(Event{Kind: kind})
	if id, _ := x.workflow(); l.Cancelled {
		h := x.past[id]
		h.events = append(h.events, event{kind: cancelEvent, at: x.env.Now(), lost: true})
		x.past[id] = h
	}
	if l.Change != nil {
		l.Change()
	}
}

// land lets the calls that hang until this moment take effect. It is called with mu held.
func (x *Trial) land(now Moment) {
	late := x.late
	x.late = nil
	for _, c := range late {
		if c.at <= now {
			c.effect()
		} else {
			x.late = append(x.late, c)
		}
	}
}

// workflow returns the workflow of the current run, and its ID.
func (x *Trial) workflow() (id string, workflow any) {
	if x.recovering {
		return x.saga.RecoverID, x.saga.Recover
	}
	return x.saga.ID, x.saga.Workflow
}

// once is one run. It reports whether the worker died.
func (x *Trial) once() (lost bool, story Story, problem string) {
	defer func() {
		if stuck := recover(); stuck != nil {
			if lost = x.isDead(); !lost {
				problem = fmt.Sprint("the workflow is stuck: ", stuck)
			}
		}
	}()
	env := x.newEnv()
	_, workflow := x.workflow()
	env.ExecuteWorkflow(workflow, x.saga.Args...)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead {
		return true, story, ""
	}
	x.over = true
	if !env.IsWorkflowCompleted() {
		return false, story, "the workflow did not end"
	}
	var err error
	story.Err, story.Result = env.GetWorkflowError(), env.GetWorkflowResult
	if story.End, err = x.saga.Ended(env); err != nil {
		problem = err.Error()
	} else {
		problem = x.strays
	}
	return false, story, problem
}

// judge returns the broken promises.
func (x *Trial) judge(schedule string, story Story, problem string) []Finding {
	var found []Finding
	if problem != "" {
		found = append(found, Finding{schedule, PromiseEnds, problem})
	}
	for _, i := range x.world.Invariants {
		if err := i.Holds(story); err != nil {
			found = append(found, Finding{schedule, i.Name, err.Error()})
		}
	}
	return found
}

// stuckAfter is how long a run may do nothing, in real time, before it counts as stuck.
const stuckAfter = time.Minute

func (x *Trial) newEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	logger := x.saga.Logger
	if logger == nil {
		logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	}
	suite.SetLogger(logger)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(stuckAfter)
	env.SetDetachedChildWait(false) // children of a dead run
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, // a busy machine is not a deadlock
		Interceptors:             []interceptor.WorkerInterceptor{&between{x: x, run: x.run}},
	})
	id, workflow := x.workflow()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: "sagatest"})
	env.RegisterWorkflow(workflow)
	saga.Register(env)
	for _, a := range x.world.Activities {
		env.RegisterActivity(a)
	}
	if x.saga.Setup != nil {
		x.saga.Setup(env)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.env == nil {
		x.start = env.Now()
	} else {
		env.SetStartTime(x.env.Now().Add(x.loss.Later))
		x.loss = Loss{}
	}
	x.env, x.lines = env, map[string]*line{}
	return env
}

func (x *Trial) isDead() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dead
}

// scheduled notes that the workflow asked for the activity. A call that replays one of the past strikes nothing.
func (x *Trial) scheduled(name string, live bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead {
		panic("the worker is dead")
	}
	x.note(Event{Kind: Scheduled, Name: name})
	if !live {
		return
	}
	x.asked[name]++
	if d := x.due(op{name, x.asked[name]}, true); d.OnSchedule != nil {
		d.OnSchedule(x)
	}
}

// updated notes that the workflow received the update.
func (x *Trial) updated(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note(Event{Kind: Updated, Name: name})
}

// callNow runs effect as one call of the activity, with the disturbance that is due.
func (x *Trial) callNow(
	ctx context.Context, run int, args []any, effect func(context.Context) (any, error),
) (any, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	info := activity.GetInfo(ctx)
	if x.dead || x.over || run != x.run {
		return nil, ErrBroken
	}
	name := info.ActivityType.Name
	if l := x.lines[info.WorkflowExecution.ID]; l != nil && !info.IsLocalActivity {
		l.taskEnded()
	}
	if name == saga.CheckpointActivity {
		return effect(ctx)
	}
	x.counts[name]++
	o := op{name, x.counts[name]}
	x.ops = append(x.ops, o)
	x.note(Event{Kind: Called, Name: name, Args: args})
	d, same := x.due(o, false), name+written(args)
	if x.saga.Fence == "" && !isRetried(d.Error) && x.tookHold[same] {
		d = Disturbance{} // what has taken effect, or still may, is not refused when it is called again
	}
	if d.OnCall != nil {
		d.OnCall(x)
	}
	take := func() (any, error) {
		result, err := effect(context.WithoutCancel(ctx))
		if err == nil {
			x.tookHold[same] = true
			x.keep(Event{Kind: TookEffect, Run: run, Name: name, Args: args, Result: result})
		}
		return result, err
	}
	switch {
	case d.Late != 0:
		x.tookHold[same] = true
		x.late = append(x.late, lateCall{d.Late, func() { _, _ = take() }})
		return nil, ErrBroken
	case d.Error != nil:
		return nil, d.Error
	}
	result, err := take()
	if err != nil {
		return result, err
	}
	if name == x.saga.Fence {
		x.land(AfterFence)
	}
	if d.OnEffect != nil {
		d.OnEffect(x)
	}
	if d.ResponseLost {
		return nil, ErrBroken
	}
	return result, nil
}

// written tells calls of an activity with different arguments apart.
func written(args []any) string {
	text, err := json.Marshal(args)
	if err != nil {
		return fmt.Sprint(args)
	}
	return string(text)
}

// isRetried reports whether a disturbance lets the call be tried again.
func isRetried(err error) bool {
	var app *temporal.ApplicationError
	return !errors.As(err, &app) || !app.NonRetryable()
}

// due returns the disturbance of a call, or of a scheduling.
func (x *Trial) due(o op, scheduling bool) Disturbance {
	for i := range x.strikes {
		s := &x.strikes[i]
		switch {
		case s.Activity != o.activity || o.n < s.Call || (s.OnSchedule != nil) != scheduling:
		case s.Until > 0 && x.env.Now().Sub(x.start) < s.Until, s.Until == 0 && s.left > 0:
			s.left--
			d := s.Disturbance
			if d.Error == errRefused {
				d.Error = x.saga.Refusal(o.activity)
			}
			return d
		}
	}
	if r := x.refuse; !scheduling && r.activity == o.activity && o.n >= r.n {
		return Disturbance{Error: x.saga.Refusal(o.activity)}
	}
	return Disturbance{}
}
