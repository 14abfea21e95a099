package saga

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Options say how a saga runs. The zero value is usable: no deadline, default patience.
type Options struct {
	// PivotTimeout is how long the saga may take to pass its pivot, counted from the start of the workflow: its deadline.
	// A saga that has not passed its pivot by then is unwound. 0: no deadline.
	PivotTimeout time.Duration
	// StepPatience is how long a step before the pivot may stay broken before the saga needs attention. Default 5 min.
	StepPatience time.Duration
	// UndoPatience is the same for the fence, undos and everything after the pivot. Default 10 min.
	UndoPatience time.Duration
	// Unwound is called when every undo has ended, before Finish.
	Unwound func(Report)
	// OnAttention is called when a step begins to need attention, and again every hour for as long as it does, because an
	// alert may get lost: Attention.Since stays the same. It runs beside the saga, which does not wait for it, on a context
	// that is not cancelled with the saga's.
	OnAttention func(ctx workflow.Context, a Attention)
}

// Default patience, see [Options].
const (
	DefaultStepPatience = 5 * time.Minute
	DefaultUndoPatience = 10 * time.Minute
)

// Run takes the saga from its first step to its end. It returns nil when the saga has reached either end; the plan's own
// functions and [Options] Unwound know which. An error means that the plan is wrong, or that a function of the plan failed
// in its own code rather than in an activity; the workflow should then fail. When that function is an undo, the error's
// details hold a [Report].
//
// Cancelling ctx unwinds the saga unless the pivot has happened. Run returns only when the saga has ended.
func (p Plan) Run(ctx workflow.Context, options Options) error {
	r, err := newRun(ctx, p, options)
	if err != nil {
		return err
	}
	cause, passed := r.forward(ctx)
	return r.end(ctx, cause, passed)
}

// Recover finishes a saga whose workflow was terminated or failed: the fence first, then what its verdict asks for.
func (p Plan) Recover(ctx workflow.Context, options Options) error {
	r, err := newRun(ctx, p, options)
	if err != nil {
		return err
	}
	return r.end(ctx, Cause{Kind: Interrupted}, false)
}

// run is one run of a plan. Its coroutines share it, and only one of them runs at a time. Nothing that touches it is
// deferred: when a worker evicts a workflow, deferred calls of all its coroutines run, and at the same time.
type run struct {
	plan     Plan
	options  Options
	started  time.Time
	fast     bool             // local activities first, until one breaks
	deadline workflow.Future  // the deadline's timer; made only when a step has to wait
	timerCtx workflow.Context // the timer's, which outlives a single wait
	timeline []Entry

	broken  []brokenStep // need attention; empty while all is well
	waiting []*waiter    // what an operator could retry or skip
	fenced  bool         // the pivot is passed or the fence was asked: too late to give up
	given   *Command     // the operator's command to give up
	reply   string       // to the operator's last signal
}

func newRun(ctx workflow.Context, p Plan, options Options) (*run, error) {
	if err := p.validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError(err.Error(), "InvalidPlan", nil)
	}
	if options.StepPatience <= 0 {
		options.StepPatience = DefaultStepPatience
	}
	if options.UndoPatience <= 0 {
		options.UndoPatience = DefaultUndoPatience
	}
	r := &run{plan: p, options: options, started: workflow.GetInfo(ctx).WorkflowStartTime, fast: true}
	r.listen(ctx)
	return r, nil
}

// forward runs the steps and the pivot. It reports whether the pivot was passed, and otherwise why not.
func (r *run) forward(ctx workflow.Context) (cause Cause, passed bool) {
	var cancel workflow.CancelFunc
	r.timerCtx, cancel = workflow.WithCancel(ctx)
	cause, passed = r.toPivot(ctx)
	cancel()
	return cause, passed
}

func (r *run) toPivot(ctx workflow.Context) (cause Cause, passed bool) {
	for _, s := range append(r.plan.Steps[:len(r.plan.Steps):len(r.plan.Steps)], r.plan.Pivot) {
		if len(s.Together) > 0 {
			if cause := r.together(ctx, s.Together); cause != nil {
				return *cause, false
			}
			continue
		}
		if err := r.step(ctx, s); err != nil {
			return r.causeOf(s.Name, err), false
		}
	}
	return Cause{}, true
}

// together runs steps side by side and returns when all have returned, with the first cause if one of them has any.
func (r *run) together(ctx workflow.Context, steps []Step) (first *Cause) {
	side, cancel := workflow.WithCancel(ctx)
	ended := 0
	for _, s := range steps {
		workflow.GoNamed(side, s.Name, func(ctx workflow.Context) {
			if err := r.step(ctx, s); err != nil && first == nil {
				cause := r.causeOf(s.Name, err)
				first = &cause
				cancel() // no more attempts of the others
			}
			ended++
		})
	}
	// On a disconnected context: cancelled or not, each step has to return before anything is undone.
	wait, stop := workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(wait, func() bool { return ended == len(steps) })
	stop()
	cancel()
	return first
}

// step runs one step before or at the pivot. It returns nil, a refusal, a cancellation, errTimedOut, errGivenUp or
// ErrStop.
func (r *run) step(ctx workflow.Context, s Step) error {
	switch {
	case ctx.Err() != nil:
		return temporal.NewCanceledError()
	case r.given != nil:
		return errGivenUp
	case r.late(ctx):
		return errTimedOut
	}
	sc := scope{
		run: r, name: s.Name, timeout: s.Timeout, localTimeout: s.LocalTimeout, patience: r.options.StepPatience, forward: true,
	}
	err := sc.do(ctx, s.Do)
	r.noteResult(ctx, s.Name, EntryDone, err)
	return err
}

func (r *run) late(ctx workflow.Context) bool {
	return r.options.PivotTimeout > 0 && workflow.Now(ctx).Sub(r.started) >= r.options.PivotTimeout
}

// end takes the saga from the pivot, or from what kept it from there, to its end. Nothing here can be cancelled.
func (r *run) end(ctx workflow.Context, cause Cause, passed bool) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	err := r.toEnd(ctx, cause, passed)
	cancel()
	return err
}

func (r *run) toEnd(ctx workflow.Context, cause Cause, passed bool) error {
	r.fenced = true
	verdict := Forward
	if !passed {
		workflow.GetLogger(ctx).Info("saga turns to its fence", "cause", string(cause.Kind), "step", cause.Step)
		var err error
		if verdict, err = r.fence(ctx, cause); err != nil {
			return err
		}
	}
	if verdict == Backward {
		if err := r.unwind(ctx, cause); err != nil {
			return err
		}
	}
	// One retriable step that failed in its own code does not keep the others from running.
	var failed []error
	for _, s := range r.plan.Retriable {
		sc := r.scope(s.Name, s.Timeout, true)
		sc.localTimeout = s.LocalTimeout
		failed = append(failed, r.must(ctx, sc, s.Do, EntryDone))
	}
	return errors.Join(failed...)
}

// scope is the scope of what must be done, and may be skipped by an operator only if skippable.
func (r *run) scope(name string, timeout time.Duration, skippable bool) scope {
	return scope{run: r, name: name, timeout: timeout, patience: r.options.UndoPatience, skippable: skippable}
}

func (r *run) fence(ctx workflow.Context, cause Cause) (Verdict, error) {
	var verdict Verdict
	err := r.must(ctx, r.scope(FenceName, 0, false), func(ctx workflow.Context) (err error) {
		verdict, err = r.plan.Fence(ctx, cause)
		return err
	}, EntryDone)
	if err == nil && (verdict < Backward || verdict > Ended) {
		err = fmt.Errorf("saga plan: the fence returned the unknown verdict %d", verdict)
	}
	return verdict, err
}

// unwind runs every undo, then Finish. An undo that stays broken does not hold up the others: the next one starts once it
// needs attention. Finish runs only when all have ended, so that the end is not recorded while something is left to undo.
func (r *run) unwind(ctx workflow.Context, cause Cause) error {
	undos := r.plan.undos()
	ended, failed := 0, make([]error, len(undos))
	for i, u := range undos {
		done := false
		workflow.GoNamed(ctx, u.Name, func(ctx workflow.Context) {
			sc := r.scope(u.Name, u.Timeout, true)
			sc.summary = u.Name + " (undo)"
			failed[i] = r.must(ctx, sc, u.Do, EntryUndone)
			done = true
			ended++
		})
		if err := workflow.Await(ctx, func() bool { return done || r.needsAttention(u.Name) }); err != nil {
			return err
		}
	}
	if err := workflow.Await(ctx, func() bool { return ended == len(undos) }); err != nil {
		return err
	}
	if err := errors.Join(failed...); err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), "UndoFailed", err, r.report(cause))
	}
	if r.options.Unwound != nil {
		r.options.Unwound(r.report(cause))
	}
	return r.must(ctx, r.scope(r.plan.Finish.Name, r.plan.Finish.Timeout, false), r.plan.Finish.Do, EntryDone)
}

// must runs what has to be done. The saga could not act on a refusal here, so a refusal counts as broken (see Execute). An
// error that gets here comes from the plan's own code, unless an operator skipped the step.
func (r *run) must(ctx workflow.Context, s scope, do Func, kind EntryKind) error {
	err := s.do(ctx, do)
	if errors.Is(err, errSkipped) {
		kind, err = EntrySkipped, nil
	}
	r.noteResult(ctx, s.name, kind, err)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}
