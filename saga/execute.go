package saga

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// scope is what Execute needs to know of the step it runs in.
type scope struct {
	run      *run
	name     string
	wait     time.Duration // bounds one attempt
	local    time.Duration // bounds the attempt on the fast path
	patience time.Duration // how long it may stay broken until the saga needs attention
	forward  bool          // before or at the pivot: deadline and cancellation apply, and a refusal is an answer

	skippable bool   // an operator may leave it out
	summary   string // shown in the Web UI; default name
	visit     *visit
}

// visit is the step's function while it runs.
type visit struct {
	ended bool
}

type scopeKey struct{}

// do runs f in the scope.
func (s scope) do(ctx workflow.Context, f Func) error {
	v := &visit{}
	s.visit = v
	err := f(s.attach(ctx))
	v.ended = true
	return err
}

func (s scope) attach(ctx workflow.Context) workflow.Context {
	if s.wait <= 0 {
		s.wait = DefaultTimeout
	}
	if s.local <= 0 {
		s.local = s.wait
	}
	if s.summary == "" {
		s.summary = s.name
	}
	return workflow.WithValue(ctx, scopeKey{}, s)
}

func scopeOf(ctx workflow.Context) (scope, bool) {
	s, ok := ctx.Value(scopeKey{}).(scope)
	return s, ok
}

// Execute runs an activity as part of a step: locally first, then, if that breaks, as a regular activity that is
// retried until it succeeds. in is its only argument; out receives its result and may be nil.
//
// In a step or the pivot it returns nil, a refusal, a cancellation, or an error that tells the saga that its deadline
// has passed: the step hands these on. In a fence, an undo, Finish or Then it returns only when the activity succeeded.
//
// It panics on mistakes in the plan's code, which no retry would mend: outside of a step, in a coroutine that has outlived
// its step, and on what is no activity. The workflow then stands still until the code is right, and nothing is lost.
func Execute(ctx workflow.Context, activity any, in, out any) error {
	s, ok := scopeOf(ctx)
	switch {
	case !ok:
		panic("saga.Execute was called outside a step of a saga")
	case s.visit.ended:
		panic(fmt.Sprintf("saga.Execute was called in %s, which has ended", s.name))
	case !callable(activity):
		panic(fmt.Sprintf("saga.Execute was called in %s with a %T: want an activity's function or name", s.name, activity))
	}
	return s.try(ctx, activity, in, out)
}

// try runs the activity until its result is settled.
func (s scope) try(ctx workflow.Context, activity any, in, out any) error {
	yield := s.run.yield
	s.run.yield = false
	if s.run.fast && !yield {
		err := s.tryLocally(ctx, activity, in, out)
		if done, err := s.settle(ctx, err); done {
			return err
		}
		s.run.fast = false
		s.run.timeline = append(s.run.timeline,
			Entry{Step: s.name, Kind: FellBack, At: workflow.Now(ctx), Detail: rootMessage(err)})
	}
	return s.durable(ctx, activity, in, out)
}

// callable reports whether activity is a function or a name.
func callable(activity any) bool {
	v := reflect.ValueOf(activity)
	switch v.Kind() {
	case reflect.Func:
		return !v.IsNil()
	case reflect.String:
		return v.Len() > 0
	}
	return false
}

// settle reports whether err, the result of an activity, is an answer rather than a failure, and which answer.
func (s scope) settle(ctx workflow.Context, err error) (done bool, answer error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errSkipped), errors.Is(err, errGivenUp):
		return true, err
	case !s.forward:
		return false, nil // what must be done is tried again, whatever it answered
	case IsRefused(err), errors.Is(err, errDeadline):
		return true, err
	case ctx.Err() != nil:
		return true, temporal.NewCanceledError()
	case s.run.given != nil:
		return true, errGivenUp // while a local attempt ran, for which nobody waits as a waiter
	default:
		return false, nil
	}
}

// tryLocally is the fast path: one attempt inside the workflow task.
func (s scope) tryLocally(ctx workflow.Context, activity any, in, out any) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: s.local,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                s.summary,
	})
	return workflow.ExecuteLocalActivity(ctx, activity, in).Get(ctx, out)
}

// durable runs a regular activity until its result is settled, in windows: the first is as long as the saga's
// patience, then the saga needs attention and a new window begins. Each window ends with the error of its last attempt,
// which is how the workflow, and so the operator, learns what is wrong.
func (s scope) durable(ctx workflow.Context, activity any, in, out any) error {
	retry, window, pause := eager, s.patience, patient.InitialInterval
	for {
		err := s.window(ctx, retry, window, activity, in, out)
		if done, err := s.settle(ctx, err); done {
			s.run.leaveTrouble(ctx, s, err)
			return err
		}
		if errors.Is(err, errRetry) {
			retry, window, pause = eager, s.patience, patient.InitialInterval
			continue
		}
		s.run.needsAttention(ctx, s, err)
		if !serverGaveUp(err) {
			// Not retried by the server, as a refusal of what must be done: wait here, ever longer, or it would spin.
			if done, err := s.settle(ctx, s.sleep(ctx, pause)); done && err != nil {
				s.run.leaveTrouble(ctx, s, err)
				return err
			}
			pause = min(2*pause, troubledWindow)
		}
		retry, window = patient, troubledWindow
	}
}

// eager is how a step is retried at first: soon, since most disturbances are short. What needs attention is not: the
// window ends at once, and patient retries follow.
var eager = temporal.RetryPolicy{
	InitialInterval:        500 * time.Millisecond,
	BackoffCoefficient:     2,
	MaximumInterval:        30 * time.Second,
	NonRetryableErrorTypes: []string{attentionType},
}

// patient is how a step is retried once the saga needs attention: every minute, without hammering.
var patient = temporal.RetryPolicy{
	InitialInterval:    time.Minute,
	BackoffCoefficient: 1,
}

// troubledWindow is how often a saga in trouble refreshes what it says about the failure. A day in trouble is then
// some 24 activities in its history.
const troubledWindow = time.Hour

// window runs the activity with server-side retries for at most d.
func (s scope) window(ctx workflow.Context, retry temporal.RetryPolicy, d time.Duration, activity, in, out any) error {
	ctx, cancel := workflow.WithCancel(ctx)
	future := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    s.wait,
		ScheduleToCloseTimeout: d,
		RetryPolicy:            &retry,
		Summary:                s.summary,
	}), activity, in)
	err := s.await(ctx, future, func() error { return future.Get(ctx, out) })
	cancel() // no more attempts; one that is under way may still take effect, which idempotency covers
	return err
}

// sleep waits d, or until the saga is cancelled or its deadline passes.
func (s scope) sleep(ctx workflow.Context, d time.Duration) error {
	timer := workflow.NewTimer(ctx, d)
	return s.await(ctx, timer, func() error { return timer.Get(ctx, nil) })
}

// await waits for the future and returns what get says, unless the saga's deadline passes or an operator intervenes
// first.
func (s scope) await(ctx workflow.Context, future workflow.Future, get func() error) error {
	told, done := s.run.wait(ctx, s)
	var instead error
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(future, func(workflow.Future) {})
	selector.AddFuture(told, func(f workflow.Future) { instead = f.Get(ctx, nil) })
	if timer := s.run.deadlineTimer(ctx, s); timer != nil {
		selector.AddFuture(timer, func(f workflow.Future) {
			if f.Get(ctx, nil) == nil {
				instead = errDeadline
			}
		})
	}
	selector.Select(ctx)
	done()
	if instead != nil && !future.IsReady() {
		return instead
	}
	return get()
}

// deadlineTimer returns the timer of the saga's deadline, or nil when none applies. An undisturbed saga never gets
// here, and so pays for no timer.
func (r *run) deadlineTimer(ctx workflow.Context, s scope) workflow.Future {
	if !s.forward || r.options.Deadline <= 0 {
		return nil
	}
	if r.deadline == nil {
		left := r.options.Deadline - workflow.Now(ctx).Sub(r.started)
		r.deadline = workflow.NewTimerWithOptions(r.timerCtx, max(left, time.Millisecond),
			workflow.TimerOptions{Summary: "saga deadline"})
	}
	return r.deadline
}
