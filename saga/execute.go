package saga

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Execute runs an activity as part of a step: locally first, then, if that breaks, as a regular activity that is
// retried until it succeeds.
//
// The activity options of ctx apply, and those of the step. A retry policy that bounds the attempts, and a
// ScheduleToCloseTimeout, are the caller's bounds: when one is reached, the step has failed for good.
//
// In a step or the pivot Execute returns no error, a refusal, a failure for good, or an error that tells the saga that it was
// interrupted: the step returns these as they are. In a fence, an undo, Finish or a retriable step it returns only when the
// activity succeeded, or an operator skipped the step.
//
// Each check says whether a result is possible. An activity that returns an impossible one, for example because an operator
// completed it by hand, counts as broken and runs again.
//
// It panics on mistakes in the plan's code, which no retry would mend: outside a step, and in a coroutine that has outlived
// its step. The workflow then stands still until the code is right, and nothing is lost.
func Execute[I, O any](
	ctx workflow.Context, activity func(context.Context, I) (O, error), in I, checks ...func(O) error,
) (O, error) {
	out := &expected[O]{checks: checks}
	err := currentScope(ctx).execute(ctx, activity, []any{in}, out)
	return out.value, err
}

// Try is Execute with a single attempt. If that breaks, [IsBroken] reports it, and the step decides what to do before it goes
// on with Execute. A step that returns the error has failed for good.
func Try[I, O any](
	ctx workflow.Context, activity func(context.Context, I) (O, error), in I, checks ...func(O) error,
) (O, error) {
	out := &expected[O]{checks: checks}
	err := currentScope(ctx).try(ctx, activity, []any{in}, out)
	return out.value, err
}

// Do is Execute for an activity that returns nothing but an error.
func Do[I any](ctx workflow.Context, activity func(context.Context, I) error, in I) error {
	return currentScope(ctx).execute(ctx, activity, []any{in}, nil)
}

// Call is Execute for an activity with any number of arguments, or one that is known by name only, for example because it is
// written in another language. result is nil or points to what receives the result.
func Call(ctx workflow.Context, activity any, result any, args ...any) error {
	checkArguments(activity, reflect.TypeFor[context.Context](), args)
	return currentScope(ctx).execute(ctx, activity, args, result)
}

// checkArguments panics when f, an activity or a workflow, does not take the arguments. The SDK would report this as the
// failure of each attempt.
func checkArguments(f any, context reflect.Type, args []any) {
	t := reflect.TypeOf(f)
	if t == nil || t.Kind() != reflect.Func {
		return // a name
	}
	want := t.NumIn()
	if want > 0 && t.In(0) == context {
		want--
	}
	if t.IsVariadic() && len(args) >= want-1 {
		return
	}
	if want != len(args) {
		panic(fmt.Sprintf("saga: %s takes %d arguments, not %d", t, want, len(args)))
	}
}

// execute runs the activity until its result is settled. out is nil or points to what receives the result.
func (s scope) execute(ctx workflow.Context, activity any, args []any, out any) error {
	if s.detached {
		return s.once(ctx, activity, args, out)
	}
	if s.mayRunLocally(ctx) {
		err := s.tryLocally(ctx, activity, args, out)
		if done, err := s.settle(ctx, err); done {
			return err
		}
		s.run.fallBack()
		s.run.note(ctx, s.name, EntryFellBack, rootMessage(err))
	}
	return s.persist(ctx, func(ctx workflow.Context, patient bool) (error, bool) {
		return s.window(ctx, patient, activity, args, out)
	})
}

// try makes one attempt, on the fast path if that may be. An error that settles nothing is a brokenError.
func (s scope) try(ctx workflow.Context, activity any, args []any, out any) (err error) {
	local := s.mayRunLocally(ctx)
	if local {
		err = s.tryLocally(ctx, activity, args, out)
	} else {
		err = s.tryRegularly(ctx, activity, args, out)
	}
	if done, err := s.settle(ctx, err); done {
		return err
	}
	if local {
		s.run.fallBack()
		s.run.note(ctx, s.name, EntryFellBack, rootMessage(err))
	}
	return brokenError{err}
}

// fallBack ends the fast path of the saga, and of those around it.
func (r *run) fallBack() {
	for ; r != nil; r = r.outer() {
		r.fast = false
	}
}

// mayRunLocally reports whether the next call may use the fast path. A local activity has no heartbeat and runs where the
// workflow does.
func (s scope) mayRunLocally(ctx workflow.Context) bool {
	o := workflow.GetActivityOptions(ctx)
	elsewhere := o.TaskQueue != "" && o.TaskQueue != workflow.GetInfo(ctx).TaskQueueName
	return s.run.fast && !s.noFastPath && !elsewhere && o.HeartbeatTimeout == 0
}

// tryLocally is the fast path: one attempt inside the workflow task.
func (s scope) tryLocally(ctx workflow.Context, activity any, args []any, out any) error {
	timeout := s.localTimeout
	if timeout <= 0 {
		timeout = min(s.activityOptions(ctx).StartToCloseTimeout, DefaultLocalTimeout)
	}
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: timeout,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:                s.summary,
	})
	return result(ctx, workflow.ExecuteLocalActivity(ctx, activity, args...), out)
}

// tryRegularly makes one attempt as a regular activity.
func (s scope) tryRegularly(ctx workflow.Context, activity any, args []any, out any) error {
	o := s.activityOptions(ctx)
	o.RetryPolicy = &temporal.RetryPolicy{MaximumAttempts: 1}
	ctx, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, o))
	future := workflow.ExecuteActivity(ctx, activity, args...)
	err := s.wait(ctx, true, future.IsReady)
	if err == nil {
		err = result(ctx, future, out)
	}
	cancel()
	return err
}

// once runs a regular activity whose failure is the caller's.
func (s scope) once(ctx workflow.Context, activity any, args []any, out any) error {
	o := s.activityOptions(ctx)
	if o.RetryPolicy == nil {
		o.RetryPolicy = &temporal.RetryPolicy{MaximumAttempts: 1}
	}
	return result(ctx, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), activity, args...), out)
}

// activityOptions are those of ctx, with a timeout and a summary.
func (s scope) activityOptions(ctx workflow.Context) workflow.ActivityOptions {
	o := workflow.GetActivityOptions(ctx)
	if s.timeout > 0 {
		o.StartToCloseTimeout = s.timeout
	}
	if o.StartToCloseTimeout <= 0 {
		o.StartToCloseTimeout = DefaultTimeout
		if o.ScheduleToCloseTimeout > 0 {
			o.StartToCloseTimeout = o.ScheduleToCloseTimeout
		}
	}
	if o.Summary == "" {
		o.Summary = s.summary
	}
	return o
}

// expected is a result that must pass checks.
type expected[O any] struct {
	value  O
	checks []func(O) error
}

// receiver returns where to decode the result to, without what an earlier attempt has left there.
func (e *expected[O]) receiver() any {
	e.value = *new(O)
	return &e.value
}

func (e *expected[O]) check() error {
	for _, check := range e.checks {
		if err := check(e.value); err != nil {
			e.value = *new(O)
			return fmt.Errorf("the result is impossible: %w", err)
		}
	}
	return nil
}

// result is what the future holds. A result that cannot be decoded is a failure for good: the activity has happened, and
// running it again would yield the same.
func result(ctx workflow.Context, future workflow.Future, out any) error {
	if err := future.Get(ctx, nil); err != nil || out == nil {
		return err
	}
	check := func() error { return nil }
	if e, ok := out.(interface {
		receiver() any
		check() error
	}); ok {
		out, check = e.receiver(), e.check
	}
	if err := future.Get(ctx, out); err != nil {
		return finalError{fmt.Errorf("read the result: %w", err)}
	}
	return check()
}

// eagerRetry is how an activity is retried at first: soon, since most disturbances are short.
var eagerRetry = temporal.RetryPolicy{
	InitialInterval:    500 * time.Millisecond,
	BackoffCoefficient: 2,
	MaximumInterval:    30 * time.Second,
}

// patientRetry is how an activity is retried once the saga needs attention: every minute, without hammering.
var patientRetry = temporal.RetryPolicy{
	InitialInterval:    time.Minute,
	BackoffCoefficient: 1,
	MaximumInterval:    time.Minute,
}

// attentionWindow is how often a saga that needs attention refreshes what it says about the failure. A day of that adds
// some 24 activities to its history.
const attentionWindow = time.Hour

// window runs the activity with server-side retries: for the saga's patience, or for attentionWindow when the saga already
// needs attention. It ends with the error of the last attempt, which is how the workflow, and so the operator, learns what is
// wrong. No attempt that began within the window is cut short, so a healthy slow activity gets its whole timeout.
func (s scope) window(
	ctx workflow.Context, patient bool, activity any, args []any, out any,
) (err error, spent bool) {
	o := s.activityOptions(ctx)
	bounded := !patient && (o.ScheduleToCloseTimeout > 0 || o.RetryPolicy != nil && o.RetryPolicy.MaximumAttempts > 0)
	length := s.breaksAt
	if patient {
		length = attentionWindow
	}
	o.RetryPolicy = s.windowPolicy(o.RetryPolicy, patient, bounded, length)
	if !bounded {
		o.ScheduleToCloseTimeout = length + o.StartToCloseTimeout
	}
	began := workflow.Now(ctx)
	running, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, o))
	future := workflow.ExecuteActivity(running, activity, args...)
	err = s.wait(ctx, true, future.IsReady)
	if err == nil {
		err = result(ctx, future, out)
		if err != nil && bounded {
			err = finalError{err}
		}
	}
	cancel() // no more attempts; one that is under way may still take effect, which idempotency covers
	if o.WaitForCancellation {
		await(ctx, future)
	}
	// A window that ends early was not retried, or was cut short because the workflow's own timeout is near: do not hurry.
	return err, workflow.Now(ctx).Sub(began) >= length/2
}

// windowPolicy is the retry policy of one window: the caller's while the saga is still eager, then the package's.
func (s scope) windowPolicy(given *temporal.RetryPolicy, patient, bounded bool, length time.Duration) *temporal.RetryPolicy {
	policy := eagerRetry
	if given != nil {
		policy = *given
	}
	if patient {
		policy = patientRetry
	}
	// These need no retry by the server: the first ends the step, the second needs a person.
	policy.NonRetryableErrorTypes = slices.Concat(policy.NonRetryableErrorTypes, []string{RefusedType, NeedsAttentionType})
	if !bounded {
		policy.MaximumAttempts = attemptsWithin(policy, length)
	}
	return &policy
}

// attemptsWithin is how many attempts of an activity that fails at once fit into d.
func attemptsWithin(p temporal.RetryPolicy, d time.Duration) int32 {
	interval, coefficient := max(p.InitialInterval, time.Second), max(p.BackoffCoefficient, 1)
	if p.InitialInterval > 0 {
		interval = p.InitialInterval
	}
	longest := p.MaximumInterval
	if longest <= 0 {
		longest = 100 * interval // the server's default
	}
	const most = 1000
	attempts := int32(1)
	for ; d > 0 && attempts < most; attempts++ {
		d -= interval
		interval = min(time.Duration(float64(interval)*coefficient), longest)
	}
	return attempts
}

// await waits for the future even when ctx is cancelled.
func await(ctx workflow.Context, future workflow.Future) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(ctx, future.IsReady)
	cancel()
}
