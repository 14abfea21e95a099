package saga

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"
)

// Func is a step or an undo: workflow code that waits only through the functions of this package, such as [Execute],
// [ExecuteChild], [Receive] and [Sleep].
type Func func(ctx workflow.Context) error

// Plan is a whole saga, declared before it runs. It needs Steps, or a Pivot that comes first.
type Plan struct {
	// Name tells the sagas of one workflow apart. It is part of the idempotency keys. Default DefaultName.
	Name  string
	Steps []Step // in order, up to the pivot
	// Pivot is the point of no return. It has no undo. Without a pivot, the saga goes forward once its last step is done.
	Pivot Step
	// Fence asks the store that the pivot writes to whether the pivot has happened. Without one, the workflow's history is
	// the fence; see the package comment.
	Fence     Fence
	Finish    Step    // records the end of an unwound saga, after the last undo
	Retriable []Step  // run in order once the end is decided, whichever it is; have no undos
	Retired   []*Undo // undos of steps that older versions of the plan had; they run last when the saga unwinds
}

// Step is one forward step: a function, or other steps.
type Step struct {
	Name string // unique in the plan; shown to operators
	Do   Func
	Undo *Undo // nil when there is nothing to undo; several steps may share one

	// Options are the options of the step's activities, apart from what the saga has to add: a retry policy without a bound,
	// and default timeouts. The zero value: those of the context that Run is given.
	Options workflow.ActivityOptions
	// Timeout bounds one attempt of the step's activities. Default: Options.StartToCloseTimeout, or else DefaultTimeout.
	Timeout time.Duration
	// LocalTimeout bounds the attempt on the fast path. Default: Timeout, but at most DefaultLocalTimeout.
	LocalTimeout time.Duration
	// NoFastPath runs the step's activities as regular ones from the first attempt. So do a heartbeat timeout, and a task queue
	// that is not the workflow's. A step that uses a session needs NoFastPath: the SDK does not tell silently whether one is open.
	NoFastPath bool
	// Patience is how long the step may stay broken before the saga needs attention. Default [Options] StepPatience. When it is
	// set, it bounds how long Await, Receive, Sleep and child workflows may take before they need attention.
	Patience time.Duration
	// WhenFailed says what happens when the step fails for good without being refused.
	WhenFailed FailurePolicy
	// Optional steps may be refused or fail for good, or be skipped by an operator: the saga goes on without them, and runs
	// their undos once it has passed its pivot.
	Optional bool

	// Together holds steps that run side by side, instead of Do and Undo. The step is done when all of them are. Once one
	// is refused, the others are cancelled, and the saga unwinds when all have returned. They are undone one after the other,
	// the last one first, unless UndoTogether is set.
	Together     []Step
	UndoTogether bool
	// Sequence holds steps that run one after the other, instead of Do and Undo: a branch of Together.
	Sequence []Step
}

// FailurePolicy says what happens when a step fails for good without being refused: its activity returned an error that is
// not retryable, or a bound that its options set is reached.
type FailurePolicy int

const (
	// Compensate unwinds the saga.
	Compensate FailurePolicy = iota
	// AskForHelp marks the saga NEEDS_ATTENTION and goes on trying. It is what always happens to an undo, to the fence, and to
	// everything after the pivot.
	AskForHelp
)

// Undo takes a step back. It succeeds when there is nothing to take back, and makes a late run of its step fail. Steps share
// an undo by pointing to the same one: it then runs once.
type Undo struct {
	Name string // unique in the plan
	Do   Func   // may ask CurrentUndo what it undoes

	// As in Step.
	Options      workflow.ActivityOptions
	Timeout      time.Duration
	LocalTimeout time.Duration
	NoFastPath   bool
	Patience     time.Duration // default [Options] UndoPatience
}

// Verdict is what the fence found.
type Verdict int

// The verdicts of a fence.
const (
	// Backward: the pivot has not happened and never will. Undos, Finish and the retriable steps follow.
	Backward Verdict = iota + 1
	// Forward: the pivot has happened. The retriable steps follow.
	Forward
	// Ended: the saga was unwound and finished before. Only the retriable steps are left.
	Ended
)

// Fence decides, in the store that the pivot writes to, whether the saga goes forward or unwinds. See the package
// comment. It must give the same verdict each time it is called for the same saga, apart from Backward turning into
// Ended once the saga is finished.
type Fence func(ctx workflow.Context, cause Cause) (Verdict, error)

// Defaults of a plan.
const (
	DefaultName         = "saga"
	DefaultTimeout      = time.Minute     // bounds one attempt of an activity
	DefaultLocalTimeout = 5 * time.Second // bounds the attempt on the fast path, which occupies a workflow task
)

// FenceName is the name under which the fence is shown.
const FenceName = "Fence"

func (p Plan) name() string {
	if p.Name == "" {
		return DefaultName
	}
	return p.Name
}

func (s Step) isSet() bool { return s.Name != "" || s.Do != nil }

// simple reports whether the step acts by itself rather than holding other steps.
func (s Step) simple() bool { return len(s.Together) == 0 && len(s.Sequence) == 0 }

// each calls f for the simple steps among steps and inside them, in order.
func each(steps []Step, f func(Step)) {
	for _, s := range steps {
		if s.simple() {
			f(s)
		}
		each(s.Together, f)
		each(s.Sequence, f)
	}
}

// Validate reports every mistake in the plan at once. Run validates its plan too.
func (p Plan) Validate() error {
	v := validation{names: map[string]bool{}, undos: map[string]*Undo{}}
	if len(p.Steps) == 0 && !p.Pivot.isSet() {
		v.problem("neither steps nor a pivot")
	}
	v.steps("step", p.Steps)
	if p.Pivot.isSet() {
		v.plain("pivot", p.Pivot)
	}
	if p.Fence != nil {
		v.name("fence", FenceName)
		if !p.Pivot.isSet() {
			v.problem("a fence without a pivot")
		}
	}
	if p.Finish.isSet() {
		v.plain("finishing step", p.Finish)
	}
	for _, s := range p.Retriable {
		v.plain("retriable step", s)
	}
	for _, u := range p.Retired {
		v.undo("retired undo", u)
	}
	v.optional(p)
	if len(v.problems) > 0 {
		return fmt.Errorf("plan %s: %w", p.name(), errors.Join(v.problems...))
	}
	return nil
}

// validation collects the mistakes in a plan.
type validation struct {
	problems []error
	names    map[string]bool  // of steps and undos
	undos    map[string]*Undo // by name
}

func (v *validation) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Errorf(format, args...))
}

// name verifies that nothing else in the plan has the name.
func (v *validation) name(kind, name string) {
	switch {
	case name == "":
		v.problem("%s without a name", kind)
	case v.names[name]:
		v.problem("two parts of the plan are named %s", name)
	}
	v.names[name] = true
}

func (v *validation) steps(kind string, steps []Step) {
	for _, s := range steps {
		v.name(kind, s.Name)
		kinds := 0
		for _, is := range []bool{s.Do != nil, len(s.Together) > 0, len(s.Sequence) > 0} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			v.problem("%s %s needs exactly one of a function, steps together and a sequence", kind, s.Name)
		}
		v.timeouts(kind, s.Name, s.Timeout, s.Options)
		switch {
		case !s.simple() && (s.Undo != nil || s.Optional):
			v.problem("%s %s holds other steps: only they can have an undo or be optional", kind, s.Name)
		case s.Undo != nil:
			v.undo("undo of "+s.Name, s.Undo)
		}
		v.steps("inner step", s.Together)
		v.steps("inner step", s.Sequence)
	}
}

// plain verifies a step that is only a function.
func (v *validation) plain(kind string, s Step) {
	v.name(kind, s.Name)
	if s.Do == nil || !s.simple() {
		v.problem("%s %s needs a function, and cannot hold other steps", kind, s.Name)
	}
	if s.Undo != nil {
		v.problem("%s %s cannot have an undo", kind, s.Name)
	}
	if s.Optional {
		v.problem("%s %s cannot be optional", kind, s.Name)
	}
	v.timeouts(kind, s.Name, s.Timeout, s.Options)
}

func (v *validation) undo(kind string, u *Undo) {
	if u == nil || u.Name == "" || u.Do == nil {
		v.problem("%s needs both a name and a function", kind)
		return
	}
	if other := v.undos[u.Name]; other == u {
		return // shared
	} else if other != nil {
		v.problem("two different undos are named %s: steps that share an undo point to the same one", u.Name)
		return
	}
	v.undos[u.Name] = u
	v.name(kind, u.Name)
	v.timeouts(kind, u.Name, u.Timeout, u.Options)
}

// optional verifies that leaving out an optional step undoes no other step.
func (v *validation) optional(p Plan) {
	users := map[*Undo]int{}
	each(p.Steps, func(s Step) { users[s.Undo]++ })
	each(p.Steps, func(s Step) {
		if s.Optional && s.Undo != nil && users[s.Undo] > 1 {
			v.problem("step %s is optional and shares its undo", s.Name)
		}
	})
}

func (v *validation) timeouts(kind, name string, timeout time.Duration, o workflow.ActivityOptions) {
	if timeout > 0 && o.StartToCloseTimeout > 0 && timeout != o.StartToCloseTimeout {
		v.problem("%s %s has two timeouts: Timeout and Options.StartToCloseTimeout", kind, name)
	}
}

// undoing is an undo and the steps that it takes back.
type undoing struct {
	undo  *Undo
	steps []string
}

// undos returns the undos of all steps, last step first, in groups that run side by side. An undo that several steps share
// runs at the position of the first of them: it undoes that step too, so the undos of all later steps must come before it.
func (p Plan) undos() [][]undoing {
	c := collection{seen: map[*Undo]*undoing{}}
	c.add(p.Steps)
	slices.Reverse(c.groups)
	for _, u := range p.Retired {
		c.groups = append(c.groups, []*undoing{{undo: u}})
	}
	out := make([][]undoing, 0, len(c.groups))
	for _, g := range c.groups {
		var group []undoing
		for _, u := range slices.Backward(g) {
			group = append(group, *u)
		}
		out = append(out, group)
	}
	return out
}

// collection gathers the undos of a plan in the order of its steps.
type collection struct {
	seen   map[*Undo]*undoing
	groups [][]*undoing
}

func (c *collection) add(steps []Step) {
	for _, s := range steps {
		from := len(c.groups)
		switch {
		case s.simple():
			c.one(s)
		default:
			c.add(s.Together)
			c.add(s.Sequence)
		}
		if s.UndoTogether && len(c.groups) > from {
			c.groups = append(c.groups[:from], slices.Concat(c.groups[from:]...))
		}
	}
}

func (c *collection) one(s Step) {
	switch known := c.seen[s.Undo]; {
	case s.Undo == nil:
	case known != nil:
		known.steps = append(known.steps, s.Name)
	default:
		u := &undoing{undo: s.Undo, steps: []string{s.Name}}
		c.seen[s.Undo] = u
		c.groups = append(c.groups, []*undoing{u})
	}
}
