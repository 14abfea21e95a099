package sagatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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

// manner is a way to disturb a call.
type manner struct {
	name  string
	times int // how many calls it strikes; 0: one
	// outage strikes every call until the outage is over.
	outage bool
	before error          // the call fails before it takes effect
	after  error          // the call takes effect, then fails
	late   bool           // the call fails, and takes effect when all is over
	first  func(x *trial) // happens before the call takes effect
	done   func(x *trial) // happens after the call took effect
}

var errBroken = errors.New("connection reset")

// manners are all disturbances.
var manners = []manner{
	{name: "refused", before: saga.Refuse("REFUSED", "a disturbance", nil)},
	{name: "failed for good", before: temporal.NewNonRetryableApplicationError("a disturbance", "Final", nil)},
	{name: "broken three times", times: 3, before: errBroken},
	{name: "broken in an outage", outage: true, before: errBroken},
	{name: "response lost", after: errBroken},
	{name: "responses lost in an outage", outage: true, after: errBroken},
	{name: "response lost and cancelled", after: errBroken, done: (*trial).cancel},
	{name: "response lost and given up", after: errBroken, done: (*trial).giveUp},
	{name: "hangs", late: true},
	{name: "hangs and cancelled", late: true, first: (*trial).cancel},
	{name: "hangs and given up", late: true, first: (*trial).giveUp},
	{name: "cancelled before", first: (*trial).cancel},
	{name: "cancelled after", done: (*trial).cancel},
	{name: "given up", done: (*trial).giveUp},
	{name: "broken and retried by an operator", times: 3, before: errBroken, first: (*trial).retry},
	{name: "task lost", done: func(x *trial) { x.die(func() {}) }},
	{name: "task lost and cancelled", done: func(x *trial) { x.die(func() { x.append(event{kind: cancelEvent}) }) }},
	{name: "task lost and too late", done: func(x *trial) { x.die(func() { x.pause = x.saga.Outage + time.Minute }) }},
}

// command is what the explorer's operator sends.
var command = saga.Command{Operator: "sagatest", Reason: "a disturbance"}

func (x *trial) cancel() { x.env.CancelWorkflow() }
func (x *trial) giveUp() { x.env.SignalWorkflow(saga.SignalCompensate, command) }
func (x *trial) retry()  { x.env.SignalWorkflow(saga.SignalRetry, command) }

// die ends the run: its worker is dead. The world changes before the next run.
func (x *trial) die(change func()) { x.dead, x.change = true, change }

// fault is a disturbance and the calls that it still strikes.
type fault struct {
	point
	left int
}

// trial is one saga with its disturbances. It outlives the runs of the workflow.
type trial struct {
	saga  Saga
	path  path
	world World

	mu       sync.Mutex // held while an activity takes effect, so that effects come one at a time
	env      *testsuite.TestWorkflowEnvironment
	start    time.Time
	run      int
	dead     bool   // the worker of this run has died: it does and records nothing more
	change   func() // what happens between a lost run and the next
	pause    time.Duration
	faults   []fault
	counts   map[string]int // calls, by activity
	ops      []op
	late     []func()
	calls    []Call
	tookHold map[string]bool  // calls, with their arguments, that have taken effect or may do so late
	lines    map[string]*line // of the current run, by workflow ID
	past     map[string]history
	strays   string // in what the workflow was not deterministic
}

func (e *explorer) newTrial(s schedule) *trial {
	x := &trial{saga: e.saga, path: s.path, world: e.saga.World(), counts: map[string]int{}, past: map[string]history{},
		tookHold: map[string]bool{}}
	for _, p := range s.points {
		f := fault{p, max(p.manner.times, 1)}
		x.faults = append(x.faults, f)
	}
	return x
}

// workflowID is the ID of the workflow of every trial.
const workflowID = "explored"

// live runs the workflow, again each time its worker dies, until a run ends. It returns what happened, and what is wrong with
// how the workflow ended.
func (x *trial) live() (Story, string) {
	for {
		lost, story, problem := x.once()
		if !lost {
			story.Calls = x.takeLate()
			return story, problem
		}
		x.restart()
	}
}

// takeLate lets the calls that hang take effect, and returns all calls.
func (x *trial) takeLate() []Call {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, effect := range x.late {
		effect()
	}
	return x.calls
}

// restart prepares the next run. Calls of the dead one may still be coming.
func (x *trial) restart() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.run++
	x.dead = false
	for id, l := range x.lines {
		x.past[id] = l.remembered()
	}
	x.change()
}

// append adds to what the next run finds in its history.
func (x *trial) append(e event) {
	e.at, e.lost = x.env.Now(), true
	h := x.past[workflowID]
	h.events = append(h.events, e)
	x.past[workflowID] = h
}

// once is one run. It reports whether the worker died.
func (x *trial) once() (lost bool, story Story, problem string) {
	defer func() {
		if stuck := recover(); stuck != nil {
			if lost = x.isDead(); !lost {
				problem = fmt.Sprint("the workflow is stuck: ", stuck)
			}
		}
	}()
	env := x.newEnv()
	env.ExecuteWorkflow(x.saga.Workflow, x.saga.Args...)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead {
		return true, story, ""
	}
	x.run = over
	if !env.IsWorkflowCompleted() {
		return false, story, "the workflow did not end"
	}
	end := x.saga.Ended
	if end == nil {
		end = ended
	}
	var err error
	story.Err = env.GetWorkflowError()
	if story.End, err = end(env); err != nil {
		problem = err.Error()
	} else {
		problem = x.strays
	}
	return false, story, problem
}

// over is the number of no run: calls that the workflow abandoned find nothing to act on.
const over = -1

// stuckAfter is how long a run may do nothing, in real time, before it counts as stuck.
const stuckAfter = 30 * time.Second

func (x *trial) newEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(stuckAfter)
	env.SetDetachedChildWait(false) // children of a dead run
	env.SetWorkerOptions(worker.Options{
		DeadlockDetectionTimeout: time.Minute, // a busy machine is not a deadlock
		Interceptors:             []interceptor.WorkerInterceptor{&between{x: x, run: x.run}},
	})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflowID, TaskQueue: "sagatest"})
	env.RegisterWorkflow(x.saga.Workflow)
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
		env.SetStartTime(x.env.Now().Add(x.pause))
		x.pause = 0
	}
	x.env, x.lines = env, map[string]*line{}
	return env
}

func (x *trial) isDead() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dead
}

// callNow runs effect as one call of the activity, with the disturbance that is due.
func (x *trial) callNow(
	ctx context.Context, run int, args []any, effect func(context.Context) (any, error),
) (any, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	info := activity.GetInfo(ctx)
	if x.dead || run != x.run {
		return nil, errBroken
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
	m, same := x.due(o), name+written(args)
	if !isRetried(m.before) && x.tookHold[same] {
		m = manner{} // what has taken effect, or still may, is not refused when it is called again
	}
	if m.first != nil {
		m.first(x)
	}
	take := func() (any, error) {
		result, err := effect(context.WithoutCancel(ctx))
		x.tookHold[same] = x.tookHold[same] || err == nil
		return result, err
	}
	x.calls = append(x.calls, Call{Run: run, Activity: name})
	call := len(x.calls) - 1
	switch {
	case m.late:
		x.tookHold[same] = true
		x.late = append(x.late, func() { _, _ = take() })
		x.calls[call].Err = errBroken
		return nil, errBroken
	case m.before != nil:
		x.calls[call].Err = m.before
		return nil, m.before
	}
	result, err := take()
	if err == nil && m.done != nil {
		m.done(x)
	}
	if err == nil {
		err = m.after
	}
	x.calls[call].Err = err
	return result, err
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

// due returns the disturbance of a call.
func (x *trial) due(o op) manner {
	for i := range x.faults {
		f := &x.faults[i]
		switch {
		case f.op.activity != o.activity || o.n < f.op.n:
		case f.manner.outage && x.env.Now().Sub(x.start) < x.saga.Outage:
			return f.manner
		case !f.manner.outage && f.left > 0:
			f.left--
			return f.manner
		}
	}
	if r := x.path.refuse; r.activity == o.activity && o.n >= r.n {
		return manner{before: saga.Refuse("REFUSED", "the path of this trial", nil)}
	}
	return manner{}
}
