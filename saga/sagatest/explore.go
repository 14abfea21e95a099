package sagatest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/saga"
)

// Saga is what the explorer runs.
type Saga struct {
	Workflow any    // a workflow function that runs one saga or several
	ID       string // of the workflow. Default: "explored"
	Args     []any  // of the workflow
	// World returns what the activities act on. Each trial gets a fresh one.
	World func() World
	// Setup prepares the test environment of each run, for example with child workflows or delayed signals.
	Setup func(env *testsuite.TestWorkflowEnvironment)
	// Deadline is the saga's PivotTimeout: some disturbances last a minute longer. Default 20 minutes.
	Deadline time.Duration
	// Ended says how the saga ended. It is for workflows that report an unwound saga without an error. Default: the workflow's
	// error is one of [saga.Unwound], or a cancellation, or there is none. An error that it returns is a finding.
	Ended func(env *testsuite.TestWorkflowEnvironment) (saga.End, error)

	// Fence is the activity that the plan's fence calls, if it has one. Such a saga need not remember anything: its workflow is
	// also reset to its beginning, at every call and after the end. It may also refuse a call that has taken effect before.
	Fence string
	// Recover is the workflow that finishes a saga whose workflow was terminated, with the same arguments: see
	// [saga.Plan.Recover]. Nil: there is none. RecoverID is the ID under which it runs; default: that of the workflow.
	Recover   any
	RecoverID string
	// Refused is the activity whose refusal leads to the path on which undos are disturbed. Default: the last that can be
	// refused.
	Refused string
	// Refusal returns the error with which an activity refuses. Default: a refusal with the code REFUSED.
	Refusal func(activity string) error
	// Further are disturbances of your own.
	Further []Disturbance
	// Logger is that of the workflow and its activities. Default: none.
	Logger log.Logger
}

func (s Saga) withDefaults() Saga {
	if s.ID == "" {
		s.ID = "explored"
	}
	if s.RecoverID == "" {
		s.RecoverID = s.ID
	}
	if s.Deadline <= 0 {
		s.Deadline = 20 * time.Minute
	}
	if s.Ended == nil {
		s.Ended = ended
	}
	if s.Refusal == nil {
		s.Refusal = func(string) error { return errRefused }
	}
	return s
}

// ended is how a saga ended whose workflow returns the saga's error.
func ended(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
	err := env.GetWorkflowError()
	if _, unwound := saga.Unwound(err); unwound || temporal.IsCanceledError(err) {
		return saga.WasUnwound, nil
	}
	return saga.WentForward, err
}

// World is everything outside the workflow: fakes that live as long as the trial.
type World struct {
	Activities []any // functions or pointers to structs, as the worker registers them
	// InEffect returns what the saga has brought about, in values that reflect.DeepEqual compares. It must not change later.
	// Leave out what both ends do, and marks such as tombstones.
	InEffect func() any
	// Invariants are further promises, checked after each trial.
	Invariants []Invariant
	// Changes are how the world may differ when the workflow runs again. Every World of a saga has the same.
	Changes []Change
	// Clock is given the clock of the test environment before the workflow starts. Activities may read it. May be nil.
	Clock func(now func() time.Time)
}

// Finding is a broken promise, and how to see it again.
type Finding struct {
	Schedule string // the disturbances
	Promise  string // the name of an invariant, or one of the explorer's own promises
	Problem  string
}

// The explorer's own promises.
const (
	PromiseEnds     = "the saga ends"
	PromiseInEffect = "what is in effect suits the end"
	PromiseSettled  = "an ended saga stays as it is" // when the workflow is reset, or recovered
)

func (f Finding) String() string {
	return fmt.Sprintf("%s\n\t%s: %s", f.Schedule, f.Promise, f.Problem)
}

// mostReported bounds how many findings Explore prints.
const mostReported = 10

// Explore runs every disturbance of every call of the saga, a sample of pairs and random schedules, and reports each broken
// promise.
func Explore(t testing.TB, s Saga) {
	t.Helper()
	pairs, random := DefaultPairs, DefaultRandom
	if testing.Short() {
		pairs, random = pairs/10, random/10
	}
	found := Find(s, Bounds{
		Pairs: number("SAGATEST_PAIRS", pairs), Random: number("SAGATEST_RANDOM", random), Seed: number("SAGATEST_SEED", 1),
		Only: os.Getenv("SAGATEST_SCHEDULE"),
	})
	for i, f := range found {
		if i == mostReported {
			t.Errorf("and %d more", len(found)-i)
			break
		}
		t.Errorf("%s\n\trepeat it with SAGATEST_SCHEDULE=%q", f, f.Schedule)
	}
}

func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

const (
	// DefaultPairs is how many pairs of disturbances Explore tries.
	DefaultPairs = 200
	// DefaultRandom is how many random schedules Explore tries.
	DefaultRandom = 100
	// AllPairs is a number of pairs: all of them.
	AllPairs = -1
)

// Bounds say how far Find goes.
type Bounds struct {
	NoSingles bool   // leave out the schedules with one disturbance
	Pairs     int    // how many pairs of disturbances to try, or AllPairs
	Random    int    // how many random schedules of up to eight disturbances to try
	Seed      int    // chooses the pairs and the random schedules
	Only      string // the only schedule to run
	First     bool   // stop at the first finding
	StopAt    string // stop at the first finding about this promise
}

// Find explores the saga as [Explore] does, and returns what it finds.
func Find(s Saga, b Bounds) []Finding {
	e, err := survey(s)
	if err != nil {
		return []Finding{{"undisturbed", "the saga can be explored", err.Error()}}
	}
	e.bounds, e.random = b, rand.New(rand.NewPCG(uint64(b.Seed), 0))
	if b.Only != "" {
		only, err := parse(b.Only, e.paths, e.disturbances)
		if err != nil {
			return []Finding{{b.Only, "the schedule exists", err.Error()}}
		}
		return e.run([]schedule{only})
	}
	all := e.singles()
	if b.NoSingles {
		all = nil
	}
	return e.run(slices.Concat(all, e.pairs(), e.randoms()))
}

// Scope is what there is to explore in a saga.
type Scope struct {
	Paths        []Path
	Disturbances []Disturbance
}

// Path is a way through the saga without disturbances, but for what leads to it.
type Path struct {
	Name       string
	Activities []string // in the order of their calls
}

// Survey says what [Find] explores, for example for a document.
func Survey(s Saga) (Scope, error) {
	e, err := survey(s)
	if err != nil {
		return Scope{}, err
	}
	out := Scope{Disturbances: e.disturbances}
	for _, p := range e.paths {
		shown := Path{Name: p.name}
		for _, o := range p.ops {
			shown.Activities = append(shown.Activities, o.activity)
		}
		out.Paths = append(out.Paths, shown)
	}
	return out, nil
}

// Singles returns the number of trials with one disturbance.
func (s Scope) Singles() int {
	n := 0
	for _, p := range s.Paths {
		n += len(p.Activities) * len(s.Disturbances)
	}
	return n
}

// Pairs returns the number of trials with two disturbances.
func (s Scope) Pairs() int {
	n := 0
	for _, p := range s.Paths {
		points := len(p.Activities) * len(s.Disturbances)
		n += points * (points - 1) / 2
	}
	return n
}

// explorer explores one saga.
type explorer struct {
	saga           Saga
	bounds         Bounds
	random         *rand.Rand
	disturbances   []Disturbance
	paths          []path
	fresh, forward any // what is in effect in a fresh world, and after an undisturbed saga

	mu    sync.Mutex
	found []Finding
}

// survey finds the saga's paths.
func survey(s Saga) (*explorer, error) {
	e := &explorer{saga: s.withDefaults(), disturbances: s.Disturbances(), fresh: s.World().InEffect()}
	calm, story, problem := undisturbed(e.saga, path{})
	e.forward = calm.world.InEffect()
	switch {
	case problem != "":
		return nil, fmt.Errorf("the undisturbed saga: %s", problem)
	case story.End != saga.WentForward:
		return nil, fmt.Errorf("the undisturbed saga did not go forward: %v", story.Err)
	case reflect.DeepEqual(e.forward, e.fresh):
		return nil, fmt.Errorf("InEffect does not tell a saga that went forward from a fresh world")
	}
	e.paths = append(e.paths, path{name: "forward", ops: calm.ops})
	back, found := e.unwound(calm.ops)
	switch {
	case found:
		e.paths = append(e.paths, back)
	case s.Refused != "":
		return nil, fmt.Errorf("the saga is not unwound when %s is refused", s.Refused)
	}
	return e, nil
}

// undisturbed runs the path. Local activities time out in real time, so on a busy machine one may be called twice: then it runs
// the path again.
func undisturbed(s Saga, p path) (x *Trial, story Story, problem string) {
	broken := func(e Event) bool { return e.Kind == Received && e.Err != nil && isRetried(e.Err) }
	for range 10 {
		x = newTrial(s, schedule{path: p})
		if story, problem = x.live(); !slices.ContainsFunc(story.Events, broken) {
			break
		}
	}
	return x, story, problem
}

// unwound finds the longest path back: the one that refuses the last call that the saga can still be refused at.
func (e *explorer) unwound(ops []op) (path, bool) {
	for _, o := range slices.Backward(ops) {
		if e.saga.Refused != "" && e.saga.Refused != o.activity {
			continue
		}
		back := path{name: fmt.Sprintf("unwound, %s refused", o), refuse: o}
		if x, story, problem := undisturbed(e.saga, back); problem == "" && story.End == saga.WasUnwound {
			back.ops = x.ops
			return back, true
		}
	}
	return path{}, false
}

// run runs the trials, as many at a time as there are processors.
func (e *explorer) run(all []schedule) []Finding {
	work := make(chan schedule)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range work {
				e.keep(e.reduce(s, e.try(s)))
			}
		})
	}
	for _, s := range all {
		if e.enough() {
			break
		}
		work <- s
	}
	close(work)
	workers.Wait()
	return e.found
}

func (e *explorer) keep(found []Finding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = append(e.found, found...)
}

func (e *explorer) enough() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bounds.First && len(e.found) > 0 ||
		slices.ContainsFunc(e.found, func(f Finding) bool { return e.bounds.StopAt != "" && f.Promise == e.bounds.StopAt })
}

// reduce leaves out the disturbances of a schedule that its first finding does not need.
func (e *explorer) reduce(s schedule, found []Finding) []Finding {
	for i := 0; len(found) > 0 && len(s.strikes) > 2 && i < len(s.strikes); {
		less := s
		less.strikes = slices.Delete(slices.Clone(s.strikes), i, i+1)
		again := e.try(less)
		if !slices.ContainsFunc(again, func(f Finding) bool { return f.Promise == found[0].Promise }) {
			i++
			continue
		}
		s, found = less, again
	}
	return found
}

// try runs one trial and returns what it finds.
func (e *explorer) try(s schedule) []Finding {
	x := newTrial(e.saga, s)
	story, problem := x.live()
	found := x.judge(s.String(), story, problem)
	want, end := e.forward, "forward"
	if story.End == saga.WasUnwound {
		want, end = e.fresh, "unwound"
	}
	got := x.world.InEffect()
	if problem == "" && !reflect.DeepEqual(got, want) {
		found = append(found, Finding{s.String(), PromiseInEffect,
			fmt.Sprintf("the saga went %s, in effect is %+v, not %+v", end, got, want)})
	}
	if len(found) > 0 || s.after == nothing {
		return found
	}
	later, problem := x.again(s.after)
	found = x.judge(s.String(), later, problem)
	if now := x.world.InEffect(); problem == "" && (later.End != story.End || !reflect.DeepEqual(got, now)) {
		found = append(found, Finding{s.String(), PromiseSettled,
			fmt.Sprintf("it ended as %v with %+v in effect, and now as %v with %+v", story.End, got, later.End, now)})
	}
	return found
}

// Run runs one trial of the saga, with the disturbances that a test has chosen, and returns what happened and which promises
// are broken: that the saga ends, and the invariants. It does not check what is in effect.
func Run(s Saga, strikes ...Strike) (Story, []Finding) {
	chosen := schedule{path: path{name: "chosen"}, strikes: strikes}
	x := newTrial(s.withDefaults(), chosen)
	story, problem := x.live()
	return story, x.judge(chosen.String(), story, problem)
}
