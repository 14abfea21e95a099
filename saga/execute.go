package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Execute runs an activity as part of a step: locally first, then, if that breaks, as a regular activity that is
// retried until it succeeds.
//
// In a step or the pivot it returns no error, a refusal, a cancellation, or an error that tells the saga that its deadline
// has passed: the step returns these as they are. In a fence, an undo, Finish or a retriable step it returns only when the
// activity succeeded.
//
// It panics on mistakes in the plan's code, which no retry would mend: outside a step, and in a coroutine that has outlived
// its step. The workflow then stands still until the code is right, and nothing is lost.
func Execute[I, O any](ctx workflow.Context, activity func(context.Context, I) (O, error), in I) (O, error) {
	var out O
	err := currentScope(ctx).execute(ctx, activity, in, &out)
	return out, err
}

// Do is Execute for an activity that returns nothing but an error.
func Do[I any](ctx workflow.Context, activity func(context.Context, I) error, in I) error {
	return currentScope(ctx).execute(ctx, activity, in, nil)
}

// scope is what Execute needs to know about the step it runs in.
type scope struct {
	run          *run
	name         string
	timeout      time.Duration // bounds one attempt
	localTimeout time.Duration // bounds the attempt on the fast path
	patience     time.Duration // how long it may stay broken before the saga needs attention
	forward      bool          // before or at the pivot: deadline and cancellation apply, and a refusal is final

	skippable bool   // an operator may skip it
	summary   string // shown in the Web UI; default name
	visit     *visit
}

// visit is one call of the step's function.
type visit struct{ ended bool }

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
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.localTimeout <= 0 {
		s.localTimeout = s.timeout
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

// currentScope is the scope of the step that is running. It panics when there is none.
func currentScope(ctx workflow.Context) scope {
	s, ok := scopeOf(ctx)
	switch {
	case !ok:
		panic("saga: an activity was called outside a step of a saga")
	case s.visit.ended:
		panic(fmt.Sprintf("saga: an activity was called in %s, which has ended", s.name))
	}
	return s
}

// execute runs the activity until its result is settled. out is nil or points to what receives the result.
func (s scope) execute(ctx workflow.Context, activity, in, out any) error {
	if s.run.fast {
		err := s.tryLocally(ctx, activity, in, out)
		if done, err := s.settle(ctx, err); done {
			return err
		}
		s.run.fast = false
		s.run.note(ctx, s.name, EntryFellBack, rootMessage(err))
	}
	return s.durable(ctx, activity, in, out)
}

// settle reports whether err, the result of an activity, ends the step rather than calling for a retry, and with which
// error.
func (s scope) settle(ctx workflow.Context, err error) (done bool, result error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errSkipped), errors.Is(err, errGivenUp):
		return true, err
	case !s.forward:
		return false, nil // it must be done, so every error is retried, a refusal too
	case IsRefused(err), errors.Is(err, errTimedOut):
		return true, err
	case ctx.Err() != nil:
		return true, temporal.NewCanceledError()
	case s.run.given != nil:
		return true, errGivenUp // the command came during a local attempt, which has no waiter
	default:
		return false, nil
	}
}

// tryLocally is the fast path: one attempt inside the workflow task.
func (s scope) tryLocally(ctx workflow.Context, activity, in, out any) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: s.localTimeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                s.summary,
	})
	return workflow.ExecuteLocalActivity(ctx, activity, in).Get(ctx, out)
}

// durable runs a regular activity until its result is settled, in windows: the first is as long as the saga's
// patience, then the saga needs attention and a new window begins. Each window ends with the error of its last attempt,
// which is how the workflow, and so the operator, learns what is wrong.
func (s scope) durable(ctx workflow.Context, activity, in, out any) error {
	retry, window, pause := eager, s.patience, patient.InitialInterval
	for {
		err := s.window(ctx, retry, window, activity, in, out)
		if done, err := s.settle(ctx, err); done {
			s.run.endAttention(ctx, s, err)
			return err
		}
		// An operator's retry starts over, with short intervals.
		if errors.Is(err, errRetry) {
			retry, window, pause = eager, s.patience, patient.InitialInterval
			continue
		}
		s.run.callAttention(ctx, s, err)
		// What the server did not retry, for example a refused undo, waits here, longer each time: it would spin otherwise.
		if !serverGaveUp(err) {
			if done, err := s.settle(ctx, s.sleep(ctx, pause)); done && err != nil {
				s.run.endAttention(ctx, s, err)
				return err
			}
			pause = min(2*pause, attentionWindow)
		}
		retry, window = patient, attentionWindow
	}
}

// eager is how a step is retried at first: soon, since most disturbances are short. An error that only a person can put
// right ends the window at once, and patient retries follow.
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

// attentionWindow is how often a saga that needs attention refreshes what it says about the failure. A day of that adds
// some 24 activities to its history.
const attentionWindow = time.Hour

// window runs the activity with server-side retries for at most d.
func (s scope) window(ctx workflow.Context, retry temporal.RetryPolicy, d time.Duration, activity, in, out any) error {
	ctx, cancel := workflow.WithCancel(ctx)
	future := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    s.timeout,
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
				instead = errTimedOut
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
	if !s.forward || r.options.PivotTimeout <= 0 {
		return nil
	}
	if r.deadline == nil {
		left := r.options.PivotTimeout - workflow.Now(ctx).Sub(r.started)
		r.deadline = workflow.NewTimerWithOptions(r.timerCtx, max(left, time.Millisecond),
			workflow.TimerOptions{Summary: "saga deadline"})
	}
	return r.deadline
}
