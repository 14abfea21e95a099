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
	// PivotTimeout is how long the saga may take to pass its pivot, counted from Run. 0: no limit.
	PivotTimeout time.Duration
	// Deadline is the time by which the saga must have passed its pivot, when that does not depend on when Run is called.
	// The earlier of the two limits counts. A saga that has not passed its pivot by then is unwound.
	Deadline time.Time
	// StepPatience is how long a step before the pivot may stay broken before the saga needs attention. Default 5 min.
	StepPatience time.Duration
	// UndoPatience is the same for the fence, undos and everything after the pivot. Default 10 min.
	UndoPatience time.Duration
	// Attributes name the search attributes that the saga sets once it needs attention. The zero value: none.
	Attributes Attributes
	// SignalPrefix comes before the names of the operators' signals, for a workflow that has signals of these names itself. A
	// nested saga has the prefix of the saga around it unless it sets its own.
	SignalPrefix string
	// ReportUnknownSignals tells the senders of signals that the saga does not know that they changed nothing. It is for
	// workflows without signals of their own.
	ReportUnknownSignals bool
	// Key begins the idempotency keys of steps; see [Key]. Default: the workflow's ID. A recovery under another workflow ID
	// gives the ID of the first workflow.
	Key string
	// Results are results of steps that the caller knows of, by step, from its own store for example. Undos of a recovery
	// get them; see [Undoing].
	Results map[string]any
	// OnAttention is called when a step begins to need attention, and again every hour for as long as it does, because an
	// alert may get lost: Attention.Since stays the same. It runs beside the saga, which does not wait for it, on a context
	// that is not cancelled with the saga's. Execute, called on that context, runs an activity once and returns its error.
	OnAttention func(ctx workflow.Context, a Attention)
}

// Default patience, see [Options].
const (
	DefaultStepPatience = 5 * time.Minute
	DefaultUndoPatience = 10 * time.Minute
)

// Run takes the saga from its first step to its end. The error is nil only when the saga went forward. When it was unwound,
// the error says why and [Unwound] reads the outcome from it: a workflow that returns it fails for good, or ends as
// cancelled when the saga was cancelled, and a step that returns it refuses the saga around it. Workflows for which a refusal
// is an outcome, not a failure, check Unwound and return no error.
//
// Cancelling ctx unwinds the saga unless the pivot has happened. Run returns only when the saga has ended.
//
// A saga whose plan has mistakes does not begin: the error then has the type InvalidPlan.
func (p Plan) Run(ctx workflow.Context, options Options) (Outcome, error) {
	r, err := newRun(ctx, p, options)
	if err != nil {
		return Outcome{}, err
	}
	r.cause = r.forward(ctx)
	return r.end(ctx)
}

// Recover finishes a saga whose workflow was terminated or failed: the fence first, then what its verdict asks for. The
// plan needs a fence. Without one, the history of the lost workflow is the only record: reset that workflow instead.
func (p Plan) Recover(ctx workflow.Context, options Options) (Outcome, error) {
	if p.Fence == nil {
		return Outcome{}, invalid(fmt.Errorf("plan %s: recovery needs a fence", p.name()))
	}
	r, err := newRun(ctx, p, options)
	if err != nil {
		return Outcome{}, err
	}
	r.cause = &Cause{Kind: Interrupted}
	return r.end(ctx)
}

// InvalidPlanType is the type of the error for a plan with mistakes.
const InvalidPlanType = "InvalidPlan"

func invalid(err error) error {
	return temporal.NewNonRetryableApplicationError(err.Error(), InvalidPlanType, nil)
}

// run is one run of a plan. Its coroutines share it, and only one of them runs at a time. Nothing that touches it is
// deferred: when a worker evicts a workflow, deferred calls of all its coroutines run, and at the same time.
type run struct {
	plan     Plan
	options  Options
	host     *host            // what the sagas of this workflow share
	around   *scope           // the step of another saga that this one is nested in, if any
	until    time.Time        // the deadline; zero: none
	fast     bool             // local activities first, until one breaks
	deadline workflow.Future  // the deadline's timer; made only when a step has to wait
	timerCtx workflow.Context // the timer's, which outlives a single wait
	timeline []Entry
	known    map[string]known // by step: its input and result
	active   map[string]int   // steps that are running before the pivot
	omitted  []Step           // optional steps that the saga went on without
	cause    *Cause           // why the saga turned to its fence, if it did
	fenced   bool             // the pivot is passed, or under way without a fence, or the fence was asked: too late to give up
	given    *Command         // the operator's command to give up
	waits    int              // how often the saga has waited: each wait ends a workflow task
}

func newRun(ctx workflow.Context, p Plan, options Options) (*run, error) {
	if err := p.Validate(); err != nil {
		return nil, invalid(err)
	}
	if options.StepPatience <= 0 {
		options.StepPatience = DefaultStepPatience
	}
	if options.UndoPatience <= 0 {
		options.UndoPatience = DefaultUndoPatience
	}
	if options.Key == "" {
		options.Key = workflow.GetInfo(ctx).WorkflowExecution.ID
	}
	r := &run{plan: p, options: options, fast: true, known: map[string]known{}, active: map[string]int{}}
	// The order does not matter: each result goes to the place of its step.
	//workflowcheck:ignore
	for step, result := range options.Results {
		r.known[step] = known{result: result, done: true}
	}
	r.until = options.Deadline
	if t := options.PivotTimeout; t > 0 {
		r.until = earlier(r.until, workflow.Now(ctx).Add(t))
	}
	if s, ok := scopeOf(ctx); ok && !s.visit.ended && !s.detached {
		r.around, r.fast = &s, s.run.fast
		if s.interruptible {
			r.until = earlier(r.until, s.run.until)
		}
		if options.SignalPrefix == "" {
			r.options.SignalPrefix = s.run.options.SignalPrefix
		}
		r.options.Key = s.run.key(s.name)
		if options.Attributes == (Attributes{}) {
			r.options.Attributes = s.run.options.Attributes
		}
		if options.OnAttention == nil {
			r.options.OnAttention = s.run.options.OnAttention
		}
	}
	return r, join(ctx, r)
}

// earlier returns the earlier of two times, either of which may be zero for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// outer is the saga that this one is nested in, or nil.
func (r *run) outer() *run {
	if r.around == nil {
		return nil
	}
	return r.around.run
}

// forward runs the steps and the pivot. It returns nil once the pivot is passed, and otherwise why not.
func (r *run) forward(ctx workflow.Context) *Cause {
	var cancel workflow.CancelFunc
	r.timerCtx, cancel = workflow.WithCancel(ctx)
	cause := r.sequence(ctx, r.plan.Steps)
	if cause == nil && r.plan.Pivot.isSet() {
		cause = r.pivot(ctx)
	}
	cancel()
	return cause
}

func (r *run) sequence(ctx workflow.Context, steps []Step) *Cause {
	for _, s := range steps {
		if cause := r.any(ctx, s); cause != nil {
			return cause
		}
	}
	return nil
}

// any runs a step of any form.
func (r *run) any(ctx workflow.Context, s Step) *Cause {
	switch {
	case len(s.Together) > 0:
		return r.together(ctx, s.Together)
	case len(s.Sequence) > 0:
		return r.sequence(ctx, s.Sequence)
	}
	if err := r.step(ctx, s); err != nil {
		return r.causeOf(s.Name, err)
	}
	return nil
}

// together runs steps side by side and returns when all have returned, with the first cause if one of them has any.
func (r *run) together(ctx workflow.Context, steps []Step) (first *Cause) {
	side, cancel := workflow.WithCancel(ctx)
	ended := 0
	for _, s := range steps {
		workflow.GoNamed(side, s.Name, func(ctx workflow.Context) {
			if cause := r.any(ctx, s); cause != nil && first == nil {
				first = cause
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

// step runs one step before the pivot. It returns nil, or why the saga must unwind.
func (r *run) step(ctx workflow.Context, s Step) error {
	sc := r.scope(s.Name, s.tuning(), r.options.StepPatience)
	sc.refusable, sc.interruptible = true, true
	sc.whenFailed, sc.skippable = s.WhenFailed, s.Optional
	if err := sc.interrupted(ctx); err != nil {
		return err
	}
	r.active[s.Name]++
	err := sc.do(ctx, s.Do)
	r.active[s.Name]--
	if err != nil && s.Optional && sc.interrupted(ctx) == nil && !errors.Is(err, ErrStop) {
		r.omitted = append(r.omitted, s)
		r.note(ctx, s.Name, EntryOmitted, rootMessage(err))
		return nil
	}
	r.noteResult(ctx, s.Name, EntryDone, err)
	return err
}

// pivot runs the point of no return. With a fence it is a step like the others. Without one, only its result tells whether
// it has happened: once begun it is neither interrupted nor taken for failed, and its activities are regular ones, so that
// the history has their results.
func (r *run) pivot(ctx workflow.Context) *Cause {
	s := r.plan.Pivot
	if r.plan.Fence != nil {
		return r.any(ctx, s)
	}
	sc := r.scope(s.Name, s.tuning(), r.options.StepPatience)
	sc.interruptible = true
	if err := sc.interrupted(ctx); err != nil {
		return r.causeOf(s.Name, err)
	}
	sc.interruptible, sc.refusable, sc.skippable = false, true, true
	sc.noFastPath, sc.whenFailed, r.fenced = true, AskForHelp, true
	sc.decisive = s.WhenFailed == Compensate
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	waits := r.waits
	err := sc.do(ctx, s.Do)
	if r.waits == waits {
		r.checkpoint(ctx)
	}
	cancel()
	kind := EntryDone
	if errors.Is(err, errSkipped) {
		kind, err = EntrySkipped, nil
	}
	r.noteResult(ctx, s.Name, kind, err)
	if err != nil {
		return r.causeOf(s.Name, err)
	}
	return nil
}

// end takes the saga from the pivot, or from what kept it from there, to its end. Nothing here can be cancelled.
func (r *run) end(parent workflow.Context) (Outcome, error) {
	ctx, cancel := workflow.NewDisconnectedContext(parent)
	end := r.toEnd(ctx)
	cancel()
	r.host.leave(r)
	out := r.outcome(end)
	if end == WasUnwound {
		return out, out.failure()
	}
	return out, nil
}

func (r *run) toEnd(ctx workflow.Context) End {
	r.fenced = true
	verdict := Forward
	switch {
	case r.plan.Fence == nil:
		// The history is the fence. Local activities that this workflow task has run, and what it decided, are recorded only when
		// the task ends; see the package comment.
		if r.fast && !r.plan.Pivot.isSet() || r.fast && r.cause != nil {
			r.checkpoint(ctx)
		}
		if r.cause != nil {
			verdict = Backward
		}
	case r.cause != nil:
		workflow.GetLogger(ctx).Info("saga turns to its fence", "cause", string(r.cause.Kind), "step", r.cause.Step)
		verdict = r.fence(ctx)
	}
	switch verdict {
	case Backward:
		r.unwind(ctx)
	case Forward:
		for _, s := range r.omitted {
			if s.Undo != nil {
				r.undo(ctx, undoing{undo: s.Undo, steps: []string{s.Name}})
			}
		}
	}
	for _, s := range r.plan.Retriable {
		r.must(ctx, r.scope(s.Name, s.tuning(), r.options.UndoPatience), true, s.Do, EntryDone)
	}
	if verdict == Forward {
		return WentForward
	}
	return WasUnwound
}

func (r *run) fence(ctx workflow.Context) Verdict {
	var verdict Verdict
	r.must(ctx, r.scope(FenceName, tuning{}, r.options.UndoPatience), false, func(ctx workflow.Context) (err error) {
		verdict, err = r.plan.Fence(ctx, *r.cause)
		if err == nil && (verdict < Backward || verdict > Ended) {
			err = fmt.Errorf("the fence returned the unknown verdict %d", verdict)
		}
		return err
	}, EntryDone)
	return verdict
}

// unwind runs every undo, then Finish. An undo that stays broken does not hold up the others: the next one starts once it
// needs attention. Finish runs only when all have ended, so that the end is not recorded while something is left to undo.
func (r *run) unwind(ctx workflow.Context) {
	begun, ended := 0, 0
	for _, group := range r.plan.undos() {
		done := 0
		for _, u := range group {
			begun++
			workflow.GoNamed(ctx, u.undo.Name, func(ctx workflow.Context) {
				r.undo(ctx, u)
				done++
				ended++
			})
		}
		moveOn := func() bool { return done == len(group) || r.allSettledOrBroken(group) }
		_ = workflow.Await(ctx, moveOn) // the context is never cancelled
	}
	_ = workflow.Await(ctx, func() bool { return ended == begun })
	if s := r.plan.Finish; s.isSet() {
		r.must(ctx, r.scope(s.Name, s.tuning(), r.options.UndoPatience), false, s.Do, EntryDone)
	}
}

// allSettledOrBroken reports whether each undo of the group has ended or needs attention.
func (r *run) allSettledOrBroken(group []undoing) bool {
	settled := map[string]bool{}
	for _, e := range r.timeline {
		if e.Kind == EntryUndone || e.Kind == EntrySkipped {
			settled[e.Step] = true
		}
	}
	for _, u := range group {
		if !settled[u.undo.Name] && !r.needsAttention(u.undo.Name) {
			return false
		}
	}
	return true
}

// undo runs one undo until it has succeeded or an operator has skipped it.
func (r *run) undo(ctx workflow.Context, u undoing) {
	sc := r.scope(u.undo.Name, u.undo.tuning(), r.options.UndoPatience)
	sc.summary, sc.undoes = u.undo.Name+" (undo)", u.steps
	r.must(ctx, sc, true, u.undo.Do, EntryUndone)
}

// must runs what has to be done, until it succeeds or, if skippable, an operator skips it. The saga could not act on a refusal
// here, so a refusal counts as broken, and so does an error of the plan's own code.
func (r *run) must(ctx workflow.Context, s scope, skippable bool, do Func, kind EntryKind) {
	s.skippable, s.whenFailed = skippable, AskForHelp
	err := s.do(ctx, do)
	if errors.Is(err, errSkipped) {
		kind, err = EntrySkipped, nil
	}
	r.noteResult(ctx, s.name, kind, err)
}
