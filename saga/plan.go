package saga

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"
)

// Func is a step or an undo: workflow code that calls activities through [Execute] and [Do].
type Func func(ctx workflow.Context) error

// Step is one forward step.
type Step struct {
	Name    string // unique in the plan; shown to operators
	Do      Func
	Undo    Undo          // the zero value when there is nothing to undo
	Timeout time.Duration // bounds one attempt of the step's activity; default DefaultTimeout
	// LocalTimeout bounds the attempt on the fast path, when that has to be shorter; default Timeout.
	LocalTimeout time.Duration
	// Together holds steps that run side by side, instead of Do and Undo. The step is done when all of them are. Once one
	// is refused, the others are cancelled, and the saga turns to its fence when all have returned. They are undone one
	// after the other, the last one first.
	Together []Step
}

// Undo takes a step back. It succeeds when there is nothing to take back, and makes a late run of its step fail.
type Undo struct {
	Name    string // unique in the plan; two steps may share one undo by giving it the same name: it then runs once
	Do      Func
	Timeout time.Duration // bounds one attempt of the undo's activity; default DefaultTimeout
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

// Plan is a whole saga, declared before it runs.
type Plan struct {
	Steps     []Step // in order, up to the pivot
	Pivot     Step   // the point of no return; has no undo
	Fence     Fence
	Finish    Step   // records the end of an unwound saga, after the last undo
	Retriable []Step // run in order once the end is decided, whichever it is; have no undos
}

// DefaultTimeout bounds one attempt of an activity when its step does not say.
const DefaultTimeout = 5 * time.Second

// FenceName is the name under which the fence is shown.
const FenceName = "Fence"

// validate reports every mistake in the plan at once.
func (p Plan) validate() error {
	v := validation{seen: map[string]bool{}}
	for _, s := range p.Steps {
		v.check("step", s, true)
		for _, side := range s.Together {
			v.check("side-by-side step", side, true)
		}
	}
	v.check("pivot", p.Pivot, false)
	v.check("finishing step", p.Finish, false)
	for _, s := range p.Retriable {
		v.check("retriable step", s, false)
	}
	if p.Fence == nil {
		v.problem("no fence")
	}
	if len(v.problems) > 0 {
		return fmt.Errorf("saga plan: %w", errors.Join(v.problems...))
	}
	return nil
}

// validation collects the mistakes in a plan.
type validation struct {
	problems []error
	seen     map[string]bool // names of steps
}

func (v *validation) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Errorf(format, args...))
}

func (v *validation) check(kind string, s Step, undoAllowed bool) {
	switch {
	case s.Name == "":
		v.problem("%s without a name", kind)
	case s.Do == nil && len(s.Together) == 0:
		v.problem("%s %s without a function", kind, s.Name)
	case v.seen[s.Name]:
		v.problem("two steps are named %s", s.Name)
	}
	v.seen[s.Name] = true
	if (s.Undo.Do == nil) != (s.Undo.Name == "") {
		v.problem("the undo of %s needs both a name and a function", s.Name)
	}
	if s.Undo.Do != nil && !undoAllowed {
		v.problem("%s %s cannot have an undo", kind, s.Name)
	}
	if len(s.Together) > 0 && (kind != "step" || s.Do != nil || s.Undo.Do != nil) {
		v.problem("%s %s cannot hold other steps: only a step without a function and an undo can", kind, s.Name)
	}
}

// undos returns the undos of all steps, last step first. An undo that several steps share runs at the position of the
// first of them: it undoes that step too, so the undos of all later steps must come before it.
func (p Plan) undos() []Undo {
	var out []Undo
	seen := map[string]bool{}
	add := func(u Undo) {
		if u.Do != nil && !seen[u.Name] {
			seen[u.Name] = true
			out = append(out, u)
		}
	}
	for _, s := range p.Steps {
		add(s.Undo)
		for _, side := range s.Together {
			add(side.Undo)
		}
	}
	slices.Reverse(out)
	return out
}
