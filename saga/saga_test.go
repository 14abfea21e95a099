package saga_test

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// ledger is the outside world of a saga of any shape: what each step has done, and which faults are due.
type ledger struct {
	mu        *sync.Mutex     // of both ledgers
	second    *ledger         // of a second saga in the same workflow: that of arguments that begin with T
	death     *death          // of the worker that both sagas run on
	log       []string        // effects in order
	done      map[string]bool // steps in effect
	tombstone map[string]bool // steps that are refused from now on
	closing   bool
	confirmed bool
	finished  bool
	told      []string
	refuse    string              // this step is refused
	shares    map[string][]string // by the step that gives an undo its name: all steps that it undoes
	hangs     map[string]int      // by call: how many get no response and take effect only when the fence closes
	late      []func() error
	fenced    bool              // this run has asked its fence
	tooLate   []string          // steps that were begun after that
	faults    map[string][]bool // by call: fail before (false) or after (true) it takes effect
}

// death is the death of a worker.
type death struct {
	after int  // this many effects; 0: never
	dead  bool // nothing takes effect and nothing is recorded until the next run
	run   int  // calls of earlier runs come late
	// cancelled: the run after the death was cancelled before it began.
	cancelled bool
	// unlessRecorded: only a run whose first workflow task has not ended can be lost. The next run begins from nothing, and a
	// saga without a fence relies on its history.
	unlessRecorded bool
}

// runKey is the key of the run in the context of its activities.
type runKey struct{}

// recorded says that a workflow task ends here.
func (d *death) recorded() {
	if d.unlessRecorded && !d.dead {
		d.after = 0
	}
}

func newLedger() *ledger {
	return &ledger{mu: &sync.Mutex{}, death: &death{}, done: map[string]bool{}, tombstone: map[string]bool{},
		faults: map[string][]bool{}, shares: map[string][]string{}, hangs: map[string]int{}}
}

// of is the ledger that the argument belongs to.
func (l *ledger) of(arg string) *ledger {
	if l.second != nil && strings.HasPrefix(arg, "T") {
		return l.second
	}
	return l
}

var errBroken = errors.New("connection reset")

// call runs effect as one call of name, with the fault that is due.
func (l *ledger) call(ctx context.Context, name string, effect func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.death.dead {
		return errBroken
	}
	if run, ok := ctx.Value(runKey{}).(int); ok && run != l.death.run {
		l.late = append(l.late, effect)
		l.land()
		return errBroken
	}
	if l.hangs[name] > 0 {
		l.hangs[name]--
		l.late = append(l.late, effect)
		return errBroken
	}
	queue, after := l.faults[name], false
	if len(queue) > 0 {
		after = queue[0]
		l.faults[name] = queue[1:]
		if !after {
			return errBroken
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if l.death.after--; l.death.after == 0 {
		l.death.dead = true
	}
	if after {
		return errBroken
	}
	return nil
}

// land makes hanging calls take effect. It does not log them: the order of such effects says nothing about the saga.
func (l *ledger) land() {
	late, log := l.late, slices.Clone(l.log)
	l.late = nil
	defer func() { l.log = log }()
	for _, effect := range late {
		_ = effect()
	}
}

// begin records that the workflow begins a step. When the step takes effect says little: a step that is under way when
// the saga is cancelled, or when one beside it fails, is abandoned and may take effect later, as if it hung.
func (l *ledger) begin(step string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fenced {
		l.tooLate = append(l.tooLate, step)
	}
}

// Do is the activity of every step.
func (l *ledger) Do(ctx context.Context, step string) error {
	l = l.of(step)
	return l.call(ctx, step, func() error {
		if l.tombstone[step] || l.refuse == step {
			return saga.Refuse("NO", step+" is refused", step)
		}
		l.done[step] = true
		l.log = append(l.log, "+"+step)
		return nil
	})
}

// Undo is the activity of every undo.
func (l *ledger) Undo(ctx context.Context, step string) error {
	l = l.of(step)
	return l.call(ctx, "-"+step, func() error {
		for _, undone := range append([]string{step}, l.shares[step]...) {
			l.done[undone], l.tombstone[undone] = false, true
		}
		l.log = append(l.log, "-"+step)
		return nil
	})
}

// Confirm is the activity of the pivot; it reports whether the pivot is passed.
func (l *ledger) Confirm(ctx context.Context, of string) (bool, error) {
	l = l.of(of)
	var confirmed atomic.Bool // a call that hangs sets it after Confirm has returned
	err := l.call(ctx, "Confirm", func() error {
		if l.refuse == "Confirm" && !l.confirmed {
			return saga.Refuse("NO", "the pivot is refused", nil)
		}
		l.confirmed = l.confirmed || !l.closing
		confirmed.Store(l.confirmed)
		return nil
	})
	return confirmed.Load(), err
}

// Close is the activity of the fence.
func (l *ledger) Close(ctx context.Context, of string) (saga.Verdict, error) {
	l = l.of(of)
	var verdict atomic.Int64 // a call that hangs sets it after Close has returned
	err := l.call(ctx, "Close", func() error {
		switch {
		case l.confirmed:
			verdict.Store(int64(saga.Forward))
		case l.finished:
			verdict.Store(int64(saga.Ended))
		default:
			l.closing = true
			verdict.Store(int64(saga.Backward))
		}
		l.land()
		return nil
	})
	return saga.Verdict(verdict.Load()), err
}

// Finish is the activity that records the end of an unwound saga.
func (l *ledger) Finish(ctx context.Context, of string) error {
	l = l.of(of)
	return l.call(ctx, "Finish", func() error {
		l.finished = true
		l.log = append(l.log, "finish")
		return nil
	})
}

// Tell is the activity that announces the end: as the saga knows it, or as the store does when there is a fence.
func (l *ledger) Tell(ctx context.Context, end string) error {
	l = l.of(end)
	return l.call(ctx, "Tell", func() error {
		end = strings.TrimPrefix(end, "T")
		if end == "" {
			end = fmt.Sprint(l.confirmed)
		}
		l.told = append(l.told, end)
		return nil
	})
}

// Checkpoint is the library's activity that does nothing. Calls that hang take effect meanwhile.
func (l *ledger) Checkpoint(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.land()
	if l.second != nil {
		l.second.land()
	}
	return nil
}

// shape is the input of the test workflow.
type shape struct {
	Steps    []string
	Undoable map[string]bool
	Shared   map[string]string // by step: the earlier step whose undo undoes it too
	Beside   map[string]bool   // steps that run beside the step before them
	Kind     map[string]string // steps that are not only an activity
	Timeout  time.Duration
	// History is the saga's only fence. NoPivot: it has no pivot either.
	History, NoPivot bool
	Of               string // argument of activities that are not about a step
	Second           *shape // a saga beside this one
}

// The kinds of steps. Each calls the ledger at its end.
const (
	inChild     = "in a child workflow"
	afterSignal = "after a signal"
	inNested    = "in a nested saga"
)

// childStep is the workflow of a step in a child workflow. It fails when its activity does.
func childStep(ctx workflow.Context, step string) (string, error) {
	var l *ledger
	return step, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	}), l.Do, step).Get(ctx, nil)
}

// kind makes a step of the kind out of one that only calls an activity.
func kind(of string, s saga.Step) saga.Step {
	inner := s
	switch of {
	case inChild:
		s.Do = func(ctx workflow.Context) error {
			_, err := saga.ExecuteChild[string](ctx, childStep, s.Name)
			return err
		}
	case afterSignal:
		s.Do = func(ctx workflow.Context) error {
			if _, err := saga.Receive[string](ctx, workflow.GetSignalChannel(ctx, "go "+s.Name)); err != nil {
				return err
			}
			return inner.Do(ctx)
		}
	case inNested:
		s.Do = func(ctx workflow.Context) error {
			_, err := saga.Plan{Name: "inner " + s.Name, Steps: []saga.Step{inner}}.Run(ctx, saga.Options{})
			return err
		}
	}
	return s
}

// steps is the workflow under test: a saga of the given shape over a ledger.
func steps(ctx workflow.Context, in shape) error {
	return settled(plan(in).Run(ctx, saga.Options{PivotTimeout: in.Timeout, ReportUnknownSignals: true}))
}

// settled is the result of a workflow for which a refusal is an outcome, not a failure.
func settled(_ saga.Outcome, err error) error {
	if _, unwound := saga.Unwound(err); unwound {
		return nil
	}
	return err
}

// watched is steps, for one or two sagas, and records in the ledgers what they begin.
func (l *ledger) watched(ctx workflow.Context, in shape) error {
	ctx, cancel := workflow.WithCancel(ctx)
	if l.death.cancelled {
		cancel()
	}
	if in.Second == nil {
		return l.watchedSaga(ctx, in)
	}
	ended, failed := 0, make([]error, 2)
	for i, of := range []struct {
		*ledger
		shape
	}{{l, in}, {l.second, *in.Second}} {
		workflow.Go(ctx, func(ctx workflow.Context) {
			failed[i] = of.watchedSaga(ctx, of.shape)
			ended++
		})
	}
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	_ = workflow.Await(ctx, func() bool { return ended == 2 })
	return errors.Join(failed...)
}

func (l *ledger) watchedSaga(ctx workflow.Context, in shape) error {
	p := plan(in)
	watch := func(s *saga.Step) {
		do := s.Do
		s.Do = func(ctx workflow.Context) error {
			l.begin(s.Name)
			return do(ctx)
		}
	}
	for i := range p.Steps {
		for j := range p.Steps[i].Together {
			watch(&p.Steps[i].Together[j])
		}
		if p.Steps[i].Together == nil {
			watch(&p.Steps[i])
		}
	}
	if !in.NoPivot {
		watch(&p.Pivot)
	}
	if fence := p.Fence; fence != nil {
		p.Fence = func(ctx workflow.Context, c saga.Cause) (saga.Verdict, error) {
			verdict, err := fence(ctx, c)
			l.mu.Lock()
			l.fenced = l.fenced || err == nil
			l.mu.Unlock()
			return verdict, err
		}
	}
	return settled(p.Run(ctx, saga.Options{PivotTimeout: in.Timeout}))
}

func plan(in shape) saga.Plan {
	var l *ledger
	call := func(activity func(context.Context, string) error, arg string) saga.Func {
		return func(ctx workflow.Context) error { return saga.Do(ctx, activity, arg) }
	}
	p := saga.Plan{
		Name: cmp.Or(in.Of, saga.DefaultName),
		Pivot: saga.Step{Name: "Confirm", Do: func(ctx workflow.Context) error {
			if confirmed, err := saga.Execute(ctx, l.Confirm, in.Of); err != nil || confirmed {
				return err
			}
			return saga.ErrStop
		}},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			return saga.Execute(ctx, l.Close, in.Of)
		},
		Finish:    saga.Step{Name: "Finish", Do: call(l.Finish, in.Of)},
		Retriable: []saga.Step{{Name: "Tell", Do: call(l.Tell, in.Of)}},
	}
	if in.History {
		p.Fence = nil
		p.Retriable[0].Do = func(ctx workflow.Context) error {
			return saga.Do(ctx, l.Tell, in.Of+fmt.Sprint(saga.CurrentCause(ctx) == nil))
		}
	}
	if in.NoPivot {
		p.Pivot = saga.Step{}
	}
	undos := map[string]*saga.Undo{}
	for _, name := range in.Steps {
		s := saga.Step{Name: name, Do: call(l.Do, name)}
		if in.Undoable[name] {
			undoes := cmp.Or(in.Shared[name], name)
			if undos[undoes] == nil {
				undos[undoes] = &saga.Undo{Name: "Undo" + undoes, Do: call(l.Undo, undoes)}
			}
			s.Undo = undos[undoes]
		}
		s = kind(in.Kind[name], s)
		last := len(p.Steps) - 1
		switch {
		case !in.Beside[name]:
			p.Steps = append(p.Steps, s)
		case len(p.Steps[last].Together) == 0:
			p.Steps[last] = saga.Step{Name: "beside " + name, Together: []saga.Step{p.Steps[last], s}}
		default:
			p.Steps[last].Together = append(p.Steps[last].Together, s)
		}
	}
	return p
}

func newEnv(l *ledger) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.RegisterWorkflow(steps)
	env.RegisterWorkflow(childStep)
	env.RegisterActivityWithOptions(l, activity.RegisterOptions{})
	env.RegisterActivityWithOptions(l.Checkpoint, activity.RegisterOptions{Name: saga.CheckpointActivity})
	return env
}

// TestAnySagaUnderAnyFaultsReachesOneOfItsTwoEnds is the promise of the package.
func TestAnySagaUnderAnyFaultsReachesOneOfItsTwoEnds(t *testing.T) {
	t.Parallel()
	for i := range campaigns {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 100 {
				if anySaga(t, randomChoices()); t.Failed() {
					return
				}
			}
		})
	}
}

// FuzzAnySaga looks for sagas and faults that break the promise. When it finds some, it makes them smaller.
func FuzzAnySaga(f *testing.F) {
	for range 20 {
		f.Add(randomChoices().all)
	}
	f.Fuzz(func(t *testing.T, all []byte) { anySaga(t, &choices{all: all, left: all}) })
}

// choices are bytes that choose a saga and what happens to it. When none are left, the simplest is chosen.
type choices struct{ all, left []byte }

func randomChoices() *choices {
	all := make([]byte, 400)
	_, _ = crand.Read(all)
	return &choices{all, all}
}

// upTo chooses a number from 0 to most.
func (c *choices) upTo(most int) int {
	n := 0
	for m := most; m > 0; m >>= 8 {
		n <<= 8
		if len(c.left) > 0 {
			n += int(c.left[0])
			c.left = c.left[1:]
		}
	}
	return n % (most + 1)
}

func (c *choices) yes() bool { return c.upTo(1) == 1 }

// oneIn is true once in n times.
func (c *choices) oneIn(n int) bool { return c.upTo(n-1) == n-1 }

func one[T any](c *choices, of []T) T { return of[c.upTo(len(of)-1)] }

func anySaga(t *testing.T, c *choices) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("to repeat it, or make it smaller, add this to FuzzAnySaga: %#v", c.all)
		}
	}()
	in, l := drawShape(c, "S"), newLedger()
	drawFaults(c, in, l)
	names := in.Steps
	if c.oneIn(4) {
		second := drawShape(c, "T")
		second.Of, in.Second = "T", &second
		l.second = newLedger()
		l.second.mu, l.second.death = l.mu, l.death
		drawFaults(c, second, l.second)
		names = slices.Concat(names, second.Steps)
	}
	l.death.unlessRecorded = in.reliesOnHistory() || in.Second != nil && in.Second.reliesOnHistory()
	lost := c.upTo(2)
	for run := 0; ; run++ {
		drawRun(c, run, run < lost, in, l)
		env := newEnv(l)
		env.RegisterWorkflow(l.watched)
		env.SetWorkerOptions(mortal(l))
		at := func() time.Duration { return time.Duration(c.upTo(40_000)) * time.Millisecond }
		if c.yes() {
			env.RegisterDelayedCallback(env.CancelWorkflow, at())
		}
		for _, name := range names {
			signal(env, at(), "go "+name, "go")
		}
		for range c.upTo(3) {
			step := one(c, []string{"", "S0"})
			signal(env, at(), one(c, harmless), saga.Command{Operator: "alice", Reason: "why not", Step: step})
		}
		env.ExecuteWorkflow(l.watched, in)
		if l.survived() {
			if !env.IsWorkflowCompleted() || env.GetWorkflowError() != nil {
				t.Fatalf("the saga did not complete: %v", env.GetWorkflowError())
			}
			break
		}
	}
	l.check(t, in)
	if l.second != nil {
		l.second.check(t, *in.Second)
	}
}

// drawRun draws what is special about one run. Late calls of earlier runs may still come.
func drawRun(c *choices, run int, lost bool, in shape, l *ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A run after a lost one may see another world: cancelled before it begins, or without what the lost run found.
	l.death.cancelled = run > 0 && c.yes()
	if run > 0 {
		drawRefusal(c, in, l)
		if in.Second != nil {
			drawRefusal(c, *in.Second, l.second)
		}
	}
	if lost {
		l.death.after = 1 + c.upTo(11)
	}
}

// reliesOnHistory reports whether the saga, or one in it, has no fence.
func (in shape) reliesOnHistory() bool {
	return in.History || slices.Contains(slices.Collect(maps.Values(in.Kind)), inNested)
}

// harmless signals skip nothing.
var harmless = []string{saga.SignalRetry, saga.SignalCompensate}

// survived reports whether the worker lived until the end of the run, and prepares the next run.
func (l *ledger) survived() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	died := l.death.dead
	l.death.dead, l.death.after = false, 0
	l.death.run++
	for _, l := range []*ledger{l, l.second} {
		if l != nil {
			l.fenced = false
			if died {
				l.log = append(l.log, "run")
			}
		}
	}
	return !died
}

func drawShape(c *choices, prefix string) shape {
	in := shape{Undoable: map[string]bool{}, Shared: map[string]string{}, Beside: map[string]bool{}, Kind: map[string]string{},
		Timeout: time.Hour}
	in.History = c.yes()
	in.NoPivot = in.History && c.yes()
	first, kinds := prefix+"0", []string{"", "", "", "", inChild, afterSignal, inNested}
	if c.yes() {
		kinds = kinds[:1]
	}
	for i := range 1 + c.upTo(5) {
		name := fmt.Sprintf("%s%d", prefix, i)
		in.Steps = append(in.Steps, name)
		in.Undoable[name] = c.yes()
		in.Beside[name] = i > 0 && c.oneIn(4)
		if i > 0 && in.Undoable[name] && in.Undoable[first] && c.oneIn(4) {
			in.Shared[name] = first
		}
		in.Kind[name] = one(c, kinds)
		in.Undoable[name] = in.Undoable[name] || in.NoPivot // what cannot be undone comes after the pivot
	}
	return in
}

func drawFaults(c *choices, in shape, l *ledger) {
	calls := []string{"Confirm", "Close", "Finish", "Tell"}
	for _, s := range in.Steps {
		calls = append(calls, s, "-"+s)
	}
	for name, first := range in.Shared {
		l.shares[first] = append(l.shares[first], name)
	}
	drawRefusal(c, in, l)
	if c.yes() {
		return // so that a run can be lost while all is in its first workflow task
	}
	for _, call := range calls {
		if call != "Close" {
			l.hangs[call] = one(c, []int{0, 0, 0, 1, 2})
		}
		for range c.upTo(4) {
			l.faults[call] = append(l.faults[call], c.yes())
		}
	}
}

func drawRefusal(c *choices, in shape, l *ledger) {
	if l.refuse = ""; c.yes() {
		l.refuse = one(c, append(in.Steps[:len(in.Steps):len(in.Steps)], "Confirm"))
	}
}

func (l *ledger) check(t *testing.T, in shape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.land()
	if in.NoPivot {
		l.confirmed = !l.finished
	}
	if l.confirmed == l.finished {
		t.Fatalf("confirmed %t, finished %t: want exactly one", l.confirmed, l.finished)
	}
	if len(l.told) == 0 || slices.ContainsFunc(l.told, func(s string) bool { return s != fmt.Sprint(l.confirmed) }) {
		t.Errorf("told %v", l.told)
	}
	for _, name := range in.Steps {
		switch {
		case l.confirmed && !l.done[name]:
			t.Errorf("confirmed without %s", name)
		case l.confirmed && l.tombstone[name]:
			t.Errorf("confirmed, but %s was undone", name)
		case !l.confirmed && in.Undoable[name] && (l.done[name] || !l.tombstone[name]):
			t.Errorf("finished, but %s was not undone", name)
		}
	}
	if len(l.tooLate) > 0 {
		t.Errorf("begun after the fence was asked: %v", l.tooLate)
	}
	if slices.Contains(slices.Collect(maps.Values(in.Kind)), inNested) {
		return // a nested saga undoes its step before the sagas around it undoes later ones
	}
	run := []string{}
	for _, entry := range append(l.log, "run") {
		if entry != "run" {
			run = append(run, entry)
			continue
		}
		checkOrder(t, run)
		run = run[:0]
	}
}

// checkOrder verifies that in a run the undos came last step first (a lost response repeats one), and that none came after
// the end was recorded.
func checkOrder(t *testing.T, log []string) {
	log = slices.DeleteFunc(slices.Clone(log), func(entry string) bool { return strings.HasPrefix(entry, "+") })
	last := "\xff"
	for _, entry := range log {
		if strings.HasPrefix(entry, "-") {
			if entry[1:] > last {
				t.Errorf("undos out of order: %v", log)
			}
			last = entry[1:]
		}
	}
	other := func(entry string) bool { return entry != "finish" }
	if i := slices.Index(log, "finish"); i >= 0 && slices.ContainsFunc(log[i:], other) {
		t.Errorf("the end was not recorded last: %v", log)
	}
}

func TestUndisturbedSagaUsesNoRegularActivityAndNoTimer(t *testing.T) {
	t.Parallel()
	l := newLedger()
	env := newEnv(l)
	env.SetOnTimerScheduledListener(func(string, time.Duration) { t.Error("a timer was started") })
	env.SetOnActivityStartedListener(onActivity(func(name string) { t.Errorf("%s ran as a regular activity", name) }))
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Timeout: time.Hour})
}

func TestSagaThatFellBackStaysOnRegularActivities(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["A"] = []bool{false}
	wantRegular(t, newEnv(l))
}

func TestWorkerWithoutTheFastPathRunsEveryStepAsARegularActivity(t *testing.T) {
	t.Parallel()
	env := newEnv(newLedger())
	env.SetWorkerOptions(noFastPath)
	wantRegular(t, env)
}

// wantRegular checks that a saga of two steps runs every step as a regular activity.
func wantRegular(t *testing.T, env *testsuite.TestWorkflowEnvironment) {
	t.Helper()
	var regular []string
	env.SetOnActivityStartedListener(onActivity(func(name string) { regular = append(regular, name) }))
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Timeout: time.Hour})
	if got, want := strings.Join(regular, " "), "Do Do Confirm Tell"; got != want {
		t.Errorf("regular activities %q, want %q", got, want)
	}
}

func TestDeadlineUnwindsASagaThatStaysBroken(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["B"] = make([]bool, 10_000)
	env := newEnv(l)
	runToEnd(t, env, shape{Steps: []string{"A", "B"}, Undoable: map[string]bool{"A": true, "B": true}, Timeout: time.Hour})
	if !l.finished || l.done["A"] || l.done["B"] {
		t.Errorf("finished %t, done %v", l.finished, l.done)
	}
}

func TestDetailsSayWhatIsBrokenUntilItHeals(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.faults["A"] = make([]bool, 30) // about 13 minutes of retries
	env := newEnv(l)
	var details []string
	for _, minute := range []int{1, 10, 50} {
		env.RegisterDelayedCallback(func() {
			details = append(details, currentDetails(t, env))
		}, time.Duration(minute)*time.Minute)
	}
	l.faults["Tell"] = make([]bool, 60) // keeps the workflow alive until after the last look
	runToEnd(t, env, shape{Steps: []string{"A"}, Timeout: time.Hour})
	if !l.confirmed {
		t.Error("the saga did not go on")
	}
	if len(details) != 3 || details[0] != "" || !strings.Contains(details[1], "**A** stays broken") ||
		!strings.Contains(details[2], "**Tell** stays broken") {
		t.Errorf("current details after 1, 10 and 50 minutes: %q", details)
	}
}
