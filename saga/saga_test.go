package saga_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"pgregory.net/rapid"

	"github.com/ordersaga/ordersaga/saga"
)

// ledger is the outside world of a saga of any shape: what each step has done, and which faults are due.
type ledger struct {
	mu        sync.Mutex
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
	fenced    bool              // the fence was closed in this run
	tooLate   []string          // steps that were begun after that
	dieAfter  int               // the worker dies after this many effects; 0: never
	dead      bool              // nothing takes effect and nothing is recorded until the next run
	faults    map[string][]bool // by call: fail before (false) or after (true) it takes effect
}

func newLedger() *ledger {
	return &ledger{done: map[string]bool{}, tombstone: map[string]bool{}, faults: map[string][]bool{},
		shares: map[string][]string{}, hangs: map[string]int{}}
}

var errBroken = errors.New("connection reset")

// call runs effect as one call of name, with the fault that is due.
func (l *ledger) call(name string, effect func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
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
	if l.dieAfter--; l.dieAfter == 0 {
		l.dead = true
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
func (l *ledger) Do(_ context.Context, step string) error {
	return l.call(step, func() error {
		if l.tombstone[step] || l.refuse == step {
			return saga.Refuse("NO", step+" is refused", step)
		}
		l.done[step] = true
		l.log = append(l.log, "+"+step)
		return nil
	})
}

// Undo is the activity of every undo.
func (l *ledger) Undo(_ context.Context, step string) error {
	return l.call("-"+step, func() error {
		for _, undone := range append([]string{step}, l.shares[step]...) {
			l.done[undone], l.tombstone[undone] = false, true
		}
		l.log = append(l.log, "-"+step)
		return nil
	})
}

// Confirm is the activity of the pivot; it reports whether the pivot is passed.
func (l *ledger) Confirm(context.Context, string) (confirmed bool, err error) {
	err = l.call("Confirm", func() error {
		l.confirmed = l.confirmed || !l.closing
		confirmed = l.confirmed
		return nil
	})
	return confirmed, err
}

// Close is the activity of the fence.
func (l *ledger) Close(context.Context, string) (verdict saga.Verdict, err error) {
	err = l.call("Close", func() error {
		switch {
		case l.confirmed:
			verdict = saga.Forward
		case l.finished:
			verdict = saga.Ended
		default:
			l.closing, l.fenced, verdict = true, true, saga.Backward
		}
		l.land()
		return nil
	})
	return verdict, err
}

// Finish is the activity that records the end of an unwound saga.
func (l *ledger) Finish(context.Context, string) error {
	return l.call("Finish", func() error {
		l.finished = true
		l.log = append(l.log, "finish")
		return nil
	})
}

// Tell is the activity that announces the end.
func (l *ledger) Tell(context.Context, string) error {
	return l.call("Tell", func() error {
		l.told = append(l.told, fmt.Sprint(l.confirmed))
		return nil
	})
}

// shape is the input of the test workflow.
type shape struct {
	Steps    []string
	Undoable map[string]bool
	Shared   map[string]string // by step: the earlier step whose undo undoes it too
	Beside   map[string]bool   // steps that run beside the step before them
	Timeout  time.Duration
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

// watched is steps, and records in the ledger what it begins.
func (l *ledger) watched(ctx workflow.Context, in shape) error {
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
	watch(&p.Pivot)
	return settled(p.Run(ctx, saga.Options{PivotTimeout: in.Timeout}))
}

func plan(in shape) saga.Plan {
	var l *ledger
	call := func(activity func(context.Context, string) error, arg string) saga.Func {
		return func(ctx workflow.Context) error { return saga.Do(ctx, activity, arg) }
	}
	p := saga.Plan{
		Pivot: saga.Step{Name: "Confirm", Do: func(ctx workflow.Context) error {
			if confirmed, err := saga.Execute(ctx, l.Confirm, ""); err != nil || confirmed {
				return err
			}
			return saga.ErrStop
		}},
		Fence: func(ctx workflow.Context, _ saga.Cause) (saga.Verdict, error) {
			return saga.Execute(ctx, l.Close, "")
		},
		Finish:    saga.Step{Name: "Finish", Do: call(l.Finish, "")},
		Retriable: []saga.Step{{Name: "Tell", Do: call(l.Tell, "")}},
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
	env.RegisterActivityWithOptions(l, activity.RegisterOptions{})
	return env
}

// TestAnySagaUnderAnyFaultsReachesOneOfItsTwoEnds is the promise of the package.
func TestAnySagaUnderAnyFaultsReachesOneOfItsTwoEnds(t *testing.T) {
	t.Parallel()
	for i := range campaigns {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, anySaga)
		})
	}
}

func anySaga(t *rapid.T) {
	in, l := drawShape(t), newLedger()
	drawFaults(t, in, l)
	lost := rapid.IntRange(0, 2).Draw(t, "lost runs")
	for run := 0; ; run++ {
		if run < lost {
			l.dieAfter = rapid.IntRange(1, 12).Draw(t, "the worker dies after effects")
		}
		env := newEnv(l)
		env.RegisterWorkflow(l.watched)
		env.SetWorkerOptions(mortal(l))
		at := func(what string) time.Duration {
			return time.Duration(rapid.IntRange(0, 40_000).Draw(t, what+" at ms")) * time.Millisecond
		}
		if rapid.Bool().Draw(t, "cancelled") {
			env.RegisterDelayedCallback(env.CancelWorkflow, at("cancelled"))
		}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(harmless), 0, 3).Draw(t, "signals") {
			step := rapid.SampledFrom([]string{"", "S0"}).Draw(t, "of")
			signal(env, at("signal"), name, saga.Command{Operator: "alice", Reason: "why not", Step: step})
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
}

// harmless signals skip nothing.
var harmless = []string{saga.SignalRetry, saga.SignalCompensate}

// survived reports whether the worker lived until the end of the run, and prepares the next run.
func (l *ledger) survived() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	died := l.dead
	l.dead, l.dieAfter, l.fenced = false, 0, false
	if died {
		l.log = append(l.log, "run")
	}
	return !died
}

func drawShape(t *rapid.T) shape {
	in := shape{Undoable: map[string]bool{}, Shared: map[string]string{}, Beside: map[string]bool{}, Timeout: time.Hour}
	for i := range rapid.IntRange(1, 6).Draw(t, "steps") {
		name := fmt.Sprintf("S%d", i)
		in.Steps = append(in.Steps, name)
		in.Undoable[name] = rapid.Bool().Draw(t, name+" has an undo")
		in.Beside[name] = i > 0 && rapid.IntRange(0, 3).Draw(t, name+" runs beside") == 0
		if i > 0 && in.Undoable[name] && in.Undoable["S0"] && rapid.IntRange(0, 3).Draw(t, name+" shares the undo of S0") == 0 {
			in.Shared[name] = "S0"
		}
	}
	return in
}

func drawFaults(t *rapid.T, in shape, l *ledger) {
	calls := []string{"Confirm", "Close", "Finish", "Tell"}
	for _, s := range in.Steps {
		calls = append(calls, s, "-"+s)
	}
	for name, first := range in.Shared {
		l.shares[first] = append(l.shares[first], name)
	}
	for _, c := range calls {
		if c != "Close" {
			l.hangs[c] = rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "hanging calls of "+c)
		}
		l.faults[c] = rapid.SliceOfN(rapid.Bool(), 0, 4).Draw(t, "faults of "+c)
	}
	if rapid.Bool().Draw(t, "a step is refused") {
		l.refuse = rapid.SampledFrom(in.Steps).Draw(t, "refused")
	}
}

func (l *ledger) check(t *rapid.T, in shape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.land()
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
		t.Errorf("begun after the fence was closed: %v", l.tooLate)
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
func checkOrder(t *rapid.T, log []string) {
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
