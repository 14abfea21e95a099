package sagatest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/saga"
)

// Saga is what the explorer runs.
type Saga struct {
	Workflow any   // a workflow function that runs one saga or several
	Args     []any // of the workflow
	// World returns what the activities act on. Each trial gets a fresh one.
	World func() World
	// Setup prepares the test environment of each run, for example with child workflows or delayed signals.
	Setup func(env *testsuite.TestWorkflowEnvironment)
	// Outage is how long an outage lasts, and how much later a workflow may run again. Default 20 minutes: longer than a saga's
	// default patience. Make it longer than the saga's deadline, so that outages exceed it.
	Outage time.Duration
	// Ended says how the saga ended. It is for workflows that report an unwound saga without an error. Default: the workflow's
	// error is one of [saga.Unwound], or a cancellation, or there is none. An error that it returns is a finding.
	Ended func(env *testsuite.TestWorkflowEnvironment) (saga.End, error)
}

// World is everything outside the workflow: fakes that live as long as the trial.
type World struct {
	Activities []any // functions or pointers to structs, as the worker registers them
	// InEffect returns what the saga has brought about, in values that reflect.DeepEqual compares. It must not change later.
	// Leave out what both ends do, and marks such as tombstones.
	InEffect func() any
	// Invariants are further promises, checked after each trial.
	Invariants []Invariant
}

// Invariant is a promise about an ended saga.
type Invariant struct {
	Name  string
	Holds func(Story) error // what is wrong, or nil
}

// Story is what happened in a trial.
type Story struct {
	End   saga.End
	Err   error  // the workflow's
	Calls []Call // of activities, in order
}

// Call is one attempt of an activity.
type Call struct {
	Run      int    // how often the task had been lost before
	Activity string // its type
	Err      error  // the response
}

// InOrder is the promise that in each run the activities are first attempted in this order, if at all. Later
// attempts do not count: an undo that stays broken does not hold up the others.
func InOrder(activities ...string) Invariant {
	return Invariant{"in order: " + strings.Join(activities, ", "), func(s Story) error {
		seen, last := map[string]bool{}, -1
		run := 0
		for _, c := range s.Calls {
			if c.Run != run {
				run, last = c.Run, -1
				clear(seen)
			}
			i := slices.Index(activities, c.Activity)
			if i < 0 || seen[c.Activity] {
				continue
			}
			if i < last {
				return fmt.Errorf("%s came after %s", c.Activity, activities[last])
			}
			seen[c.Activity], last = true, i
		}
		return nil
	}}
}

// Finding is a broken promise, and how to see it again.
type Finding struct {
	Schedule string // the disturbances
	Promise  string
	Problem  string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s\n\t%s: %s", f.Schedule, f.Promise, f.Problem)
}

// mostReported bounds how many findings Explore prints.
const mostReported = 10

// Explore runs every disturbance of every call of the saga, and a sample of pairs, and reports each broken promise.
func Explore(t testing.TB, s Saga) {
	t.Helper()
	pairs := DefaultPairs
	if testing.Short() {
		pairs /= 10
	}
	found := Find(s, Bounds{Pairs: number("SAGATEST_PAIRS", pairs), Seed: number("SAGATEST_SEED", 1),
		Only: os.Getenv("SAGATEST_SCHEDULE")})
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

// DefaultPairs is how many pairs of disturbances Explore tries.
const DefaultPairs = 200

// Bounds say how far Find goes.
type Bounds struct {
	Pairs int    // how many pairs of disturbances to try
	Seed  int    // chooses the pairs
	Only  string // the only schedule to run
	First bool   // stop at the first finding
}

// Find explores the saga as [Explore] does, and returns what it finds.
func Find(s Saga, b Bounds) []Finding {
	if s.Outage <= 0 {
		s.Outage = 20 * time.Minute
	}
	e := &explorer{saga: s, bounds: b, fresh: s.World().InEffect()}
	calm := e.newTrial(schedule{path: path{name: "forward"}})
	story, problem := calm.live()
	if problem == "" && story.End != saga.WentForward {
		problem = fmt.Sprintf("the undisturbed saga did not go forward: %v", story.Err)
	}
	e.forward = calm.world.InEffect()
	if problem == "" && reflect.DeepEqual(e.forward, e.fresh) {
		problem = "InEffect does not tell a saga that went forward from a fresh world"
	}
	if problem != "" {
		return []Finding{{"undisturbed", "the saga can be explored", problem}}
	}
	all := singles(path{name: "forward", ops: calm.ops})
	if back, found := e.unwound(calm.ops); found {
		all = append(all, singles(back)...)
	}
	if b.Only == "" || strings.Contains(b.Only, "; ") {
		all = append(all, e.pairs(all)...)
	}
	return e.runAll(all)
}

// explorer explores one saga.
type explorer struct {
	saga           Saga
	bounds         Bounds
	fresh, forward any // what is in effect in a fresh world, and after an undisturbed saga

	mu    sync.Mutex
	found []Finding
}

// op is the nth call of an activity.
type op struct {
	activity string
	n        int
}

func (o op) String() string { return fmt.Sprintf("%s#%d", o.activity, o.n) }

// path is a way through the saga that disturbances can strike: the operations that an undisturbed run calls.
type path struct {
	name   string
	refuse op // always refused; none when zero
	ops    []op
}

// schedule is one trial: a path and its disturbances.
type schedule struct {
	path   path
	points []point
}

// point is one disturbance of one operation.
type point struct {
	op     op
	manner manner
}

func (s schedule) String() string {
	var points []string
	for _, p := range s.points {
		points = append(points, fmt.Sprintf("%s %s", p.op, p.manner.name))
	}
	return s.path.name + ": " + strings.Join(points, "; ")
}

// unwound finds the longest path back: the one that refuses the last call that the saga can still be refused at.
func (e *explorer) unwound(ops []op) (path, bool) {
	for _, o := range slices.Backward(ops) {
		back := path{name: fmt.Sprintf("unwound, %s refused", o), refuse: o}
		x := e.newTrial(schedule{path: back})
		if story, problem := x.live(); problem == "" && story.End == saga.WasUnwound {
			back.ops = x.ops
			return back, true
		}
	}
	return path{}, false
}

func singles(p path) []schedule {
	var out []schedule
	for _, o := range p.ops {
		for _, m := range manners {
			out = append(out, schedule{p, []point{{o, m}}})
		}
	}
	return out
}

// pairs draws pairs of disturbances on the same path.
func (e *explorer) pairs(singles []schedule) []schedule {
	random := rand.New(rand.NewPCG(uint64(e.bounds.Seed), 0))
	byPath := map[string][]schedule{}
	for _, s := range singles {
		byPath[s.path.name] = append(byPath[s.path.name], s)
	}
	var out []schedule
	for range e.bounds.Pairs {
		a := singles[random.IntN(len(singles))]
		same := byPath[a.path.name]
		out = append(out, schedule{a.path, []point{a.points[0], same[random.IntN(len(same))].points[0]}})
	}
	return out
}

// runAll runs the trials, as many at a time as there are processors.
func (e *explorer) runAll(all []schedule) []Finding {
	work := make(chan schedule)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range work {
				e.try(s)
			}
		})
	}
	ran := 0
	for _, s := range all {
		if e.bounds.Only != "" && e.bounds.Only != s.String() || e.enough() {
			continue
		}
		ran++
		work <- s
	}
	close(work)
	workers.Wait()
	if ran == 0 {
		return []Finding{{e.bounds.Only, "the schedule exists", "the saga makes no such calls, or the seed is another one"}}
	}
	return e.found
}

func (e *explorer) enough() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bounds.First && len(e.found) > 0
}

// try runs one trial and keeps what it finds.
func (e *explorer) try(s schedule) {
	x := e.newTrial(s)
	story, problem := x.live()
	found := e.judge(s, x, story, problem)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = append(e.found, found...)
}

// judge returns the promises that the trial broke.
func (e *explorer) judge(s schedule, x *trial, story Story, problem string) []Finding {
	var found []Finding
	broken := func(promise, problem string) {
		found = append(found, Finding{s.String(), promise, problem})
	}
	want, end := e.forward, "forward"
	if story.End == saga.WasUnwound {
		want, end = e.fresh, "unwound"
	}
	got := x.world.InEffect()
	switch {
	case problem != "":
		broken("the saga ends", problem)
	case !reflect.DeepEqual(got, want):
		broken("what is in effect suits the end", fmt.Sprintf("the saga went %s, in effect is %+v, not %+v", end, got, want))
	}
	for _, i := range x.world.Invariants {
		if err := i.Holds(story); err != nil {
			broken(i.Name, err.Error())
		}
	}
	return found
}

// ended is how a saga ended whose workflow returns the saga's error.
func ended(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
	err := env.GetWorkflowError()
	if _, unwound := saga.Unwound(err); unwound || temporal.IsCanceledError(err) {
		return saga.WasUnwound, nil
	}
	return saga.WentForward, err
}
