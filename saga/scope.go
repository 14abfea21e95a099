package saga

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// tuning is how a step or an undo wants its activities to run.
type tuning struct {
	options      workflow.ActivityOptions
	timeout      time.Duration
	localTimeout time.Duration
	noFastPath   bool
	patience     time.Duration // 0: the saga's
}

func (s Step) tuning() tuning {
	return tuning{s.Options, s.Timeout, s.LocalTimeout, s.NoFastPath, s.Patience}
}

func (u Undo) tuning() tuning {
	return tuning{u.Options, u.Timeout, u.LocalTimeout, u.NoFastPath, u.Patience}
}

// scope is what the calls in a step, an undo, the fence or any other function of the plan need to know about it.
type scope struct {
	tuning
	run      *run
	name     string
	summary  string        // shown in the Web UI
	breaksAt time.Duration // how long a call may stay broken before the saga needs attention

	refusable     bool // a refusal ends it: it is a step or the pivot
	interruptible bool // cancellation, the deadline and an operator end it: it is before the point of no return
	skippable     bool // an operator may skip it
	detached      bool // it only tells operators, beside the saga
	decisive      bool // it is a pivot without a fence: only its activity can say that it has not happened
	whenFailed    FailurePolicy
	undoes        []string // the steps that an undo takes back
	visit         *visit
}

// visit is one call of the scope's function.
type visit struct{ ended bool }

type scopeKey struct{}

func (r *run) scope(name string, t tuning, patience time.Duration) scope {
	s := scope{tuning: t, run: r, name: name, summary: name, breaksAt: patience}
	if t.patience > 0 {
		s.breaksAt = t.patience
	}
	return s
}

// do runs f in the scope. Where a failure must not end the scope, an error of f's own code is retried too.
func (s scope) do(ctx workflow.Context, f Func) error {
	if s.whenFailed == Compensate {
		return s.enter(ctx, f)
	}
	return s.persist(ctx, func(ctx workflow.Context, _ bool) (error, bool) { return s.enter(ctx, f), false })
}

// enter calls f once.
func (s scope) enter(ctx workflow.Context, f Func) error {
	v := &visit{}
	s.visit = v
	if s.options != (workflow.ActivityOptions{}) {
		ctx = workflow.WithActivityOptions(ctx, s.options)
	}
	err := f(workflow.WithValue(ctx, scopeKey{}, s))
	v.ended = true
	if workflow.IsContinueAsNewError(err) {
		panic(fmt.Sprintf("saga: %s returned continue-as-new, which would forget what the saga has to undo: "+
			"use a child workflow that continues as new", s.name))
	}
	return err
}

func scopeOf(ctx workflow.Context) (scope, bool) {
	s, ok := ctx.Value(scopeKey{}).(scope)
	return s, ok
}

// currentScope is the scope of the function that is running. It panics when there is none.
func currentScope(ctx workflow.Context) scope {
	s, ok := scopeOf(ctx)
	switch {
	case !ok:
		panic("saga: called outside a step of a saga")
	case s.visit.ended:
		panic(fmt.Sprintf("saga: called in %s, which has ended", s.name))
	}
	return s
}

// interrupted says why the scope must not go on: the saga, or one around it, is cancelled, given up or too late.
func (s scope) interrupted(ctx workflow.Context) error {
	if !s.interruptible {
		return nil
	}
	switch r := s.run; {
	case ctx.Err() != nil:
		return temporal.NewCanceledError()
	case r.given != nil:
		return errGivenUp
	case r.late(ctx):
		return errTimedOut
	case r.around != nil:
		return r.around.interrupted(ctx)
	}
	return nil
}

// late reports whether the deadline has passed: by the clock, or because its timer has fired. The server's clock fires the
// timer, and another host's may stamp the workflow task that follows with a slightly earlier time. The saga would then be
// neither too late nor able to wait, and would spin.
func (r *run) late(ctx workflow.Context) bool {
	if r.until.IsZero() {
		return false
	}
	fired := r.deadline != nil && r.deadline.IsReady() && r.deadline.Get(ctx, nil) == nil
	return fired || !workflow.Now(ctx).Before(r.until)
}

// waiter is a call that the saga waits for.
type waiter struct {
	scope     scope
	retriable bool  // an operator's retry applies
	told      error // what an operator said: ends the wait
}

// wait waits until ready reports true, and returns nil then. It returns why not when the saga is interrupted or an operator
// ends the wait first. An undisturbed saga never gets here, and so pays for no timer.
func (s scope) wait(ctx workflow.Context, retriable bool, ready func() bool) error {
	if ready() {
		return nil
	}
	if err := s.interrupted(ctx); err != nil {
		return err
	}
	s.run.waits++
	w := &waiter{scope: s, retriable: retriable}
	s.run.host.waiting = append(s.run.host.waiting, w)
	s.run.startDeadlineTimer(ctx, s)
	cancelled := workflow.Await(ctx, func() bool {
		return ready() || w.told != nil || s.interrupted(ctx) != nil
	})
	s.run.host.waiting = slices.DeleteFunc(s.run.host.waiting, func(other *waiter) bool { return other == w })
	switch {
	case ready():
		return nil
	case w.told != nil:
		return w.told
	case cancelled != nil:
		return cancelled
	default:
		return s.interrupted(ctx)
	}
}

// startDeadlineTimer makes sure that the saga's deadline, if one applies, ends the wait.
func (r *run) startDeadlineTimer(ctx workflow.Context, s scope) {
	if !s.interruptible || r.until.IsZero() || r.deadline != nil {
		return
	}
	left := r.until.Sub(workflow.Now(ctx))
	r.deadline = workflow.NewTimerWithOptions(r.timerCtx, max(left, time.Millisecond),
		workflow.TimerOptions{Summary: r.plan.name() + " deadline"})
}

// sleep waits d, unless the wait is ended before.
func (s scope) sleep(ctx workflow.Context, d time.Duration, retriable bool) error {
	ctx, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: s.summary})
	err := s.wait(ctx, retriable, timer.IsReady)
	if err == nil {
		err = timer.Get(ctx, nil)
	}
	cancel()
	return err
}

// call is one call of an activity or a child workflow, or of a function of the plan, with all its attempts.
type call struct{ _ bool } // not empty: each has an address of its own

// persist makes attempts until the result is settled. An attempt may itself be a series of attempts that the server makes:
// spent reports that the server has retried for as long as it was asked to. attempt gets to know whether the saga already
// needs attention because of this call, and should then be patient.
func (s scope) persist(
	ctx workflow.Context, attempt func(ctx workflow.Context, patient bool) (err error, spent bool),
) error {
	c := &call{}
	var since time.Time // of the first failure
	patient, pause := false, eagerRetry.InitialInterval
	again := func() { since, patient, pause = time.Time{}, false, eagerRetry.InitialInterval }
	for {
		began := workflow.Now(ctx)
		err, spent := attempt(ctx, patient)
		if done, result := s.settle(ctx, err); done {
			s.run.endAttention(ctx, s, c, result)
			return result
		}
		// An operator's retry starts over, with short intervals.
		if errors.Is(err, errRetry) {
			again()
			continue
		}
		if since.IsZero() {
			since = began
		}
		if patient || spent || isFinal(err, s.retryPolicy(ctx)) || isHelpless(err) || workflow.Now(ctx).Sub(since) >= s.breaksAt {
			if !patient {
				patient, pause = true, patientRetry.InitialInterval
			}
			next := pause
			if spent {
				next = patientRetry.InitialInterval
			}
			s.run.callAttention(ctx, s, c, err, next)
		}
		if spent {
			continue
		}
		// What the server did not retry, for example a refused undo, waits here, longer each time: it would spin otherwise.
		err = s.sleep(ctx, pause, true)
		if errors.Is(err, errRetry) {
			again()
			continue
		}
		if done, result := s.settle(ctx, err); done && err != nil {
			s.run.endAttention(ctx, s, c, result)
			return result
		}
		longest := eagerRetry.MaximumInterval
		if patient {
			longest = attentionWindow
		}
		pause = min(2*pause, longest)
	}
}

// settle reports whether err, the result of an attempt, settles the call rather than asking for a retry, and with which
// error.
func (s scope) settle(ctx workflow.Context, err error) (done bool, result error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errSkipped):
		return true, err
	// A final no. Where the saga could not act on it, it is retried like any other error.
	case s.refusable && isRefusal(err):
		return true, err
	case s.refusable && errors.Is(err, ErrStop):
		return true, err
	}
	// The saga was interrupted, maybe during a local attempt.
	if because := s.interrupted(ctx); because != nil {
		return true, because
	}
	var bound finalError
	switch {
	case !s.refusable, !isFinal(err, s.retryPolicy(ctx)):
		return false, nil
	case s.decisive:
		return !errors.As(err, &bound), err
	default:
		return s.whenFailed == Compensate, err
	}
}

// isRefusal reports whether err is a business no: a refusal, or a nested saga that was unwound.
func isRefusal(err error) bool {
	_, unwound := Unwound(err)
	return unwound || IsRefused(err)
}

// isHelpless reports whether only a person can put err right.
func isHelpless(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == NeedsAttentionType
}

// isFinal reports whether Temporal would not retry err, under the policy if that is not nil.
func isFinal(err error, policy *temporal.RetryPolicy) bool {
	var bound finalError
	var app *temporal.ApplicationError
	switch {
	case isHelpless(err):
		return false // goes on being tried
	case errors.As(err, &bound):
		return true
	case errors.As(err, &app):
		return app.NonRetryable() || policy != nil && slices.Contains(policy.NonRetryableErrorTypes, app.Type())
	}
	return false
}

// retryPolicy is the policy that the plan or its caller gave to activities, or nil.
func (s scope) retryPolicy(ctx workflow.Context) *temporal.RetryPolicy {
	if p := s.options.RetryPolicy; p != nil {
		return p
	}
	return workflow.GetActivityOptions(ctx).RetryPolicy
}
