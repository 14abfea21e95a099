package saga_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// What the test environment cannot show is tested on a real server: signals and cancel requests that make the server discard
// a workflow task, history, timeouts of workflows.

// server is a task queue of the test's own on a real server, with a worker.
type server struct {
	client.Client
	t     *testing.T
	queue string
}

func newServer(t *testing.T, w *world, flow any, unregistered ...bool) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Temporal server; skipped by -short")
	}
	address := os.Getenv("TEST_TEMPORAL_ADDRESS")
	if address == "" {
		t.Fatal("TEST_TEMPORAL_ADDRESS is not set: start a server, for example `temporal server start-dev`, and give its address")
	}
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.DialContext(t.Context(), client.Options{HostPort: address, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &server{Client: c, t: t, queue: "saga-" + rand.Text()}
	works := worker.New(c, s.queue, worker.Options{})
	works.RegisterWorkflowWithOptions(flow, workflow.RegisterOptions{Name: "flow"})
	works.RegisterActivity(w)
	if len(unregistered) == 0 {
		saga.Register(works)
	}
	if err := works.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(works.Stop)
	return s
}

func (s *server) start(timeout time.Duration) client.WorkflowRun {
	s.t.Helper()
	run, err := s.ExecuteWorkflow(s.t.Context(), client.StartWorkflowOptions{
		ID: s.queue, TaskQueue: s.queue, WorkflowRunTimeout: timeout, WorkflowTaskTimeout: 3 * time.Second,
	}, "flow")
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// history returns the workflow's history, after verifying that the workflow replays it.
func (s *server) history(flow any) []*historypb.HistoryEvent {
	s.t.Helper()
	h := &historypb.History{}
	events := s.GetWorkflowHistory(s.t.Context(), s.queue, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(flow, workflow.RegisterOptions{Name: "flow"})
	if err := replayer.ReplayWorkflowHistory(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil {
		s.t.Errorf("the history does not replay: %v", err)
	}
	return h.Events
}

// tells returns a retriable step that tells how the saga ends.
func tells() []saga.Step {
	var w *world
	return []saga.Step{{Name: "Tell", Do: func(ctx workflow.Context) error {
		if saga.CurrentCause(ctx) == nil {
			return saga.Do(ctx, w.Act, "told: done")
		}
		return saga.Do(ctx, w.Act, "told: undone")
	}}}
}

// A cancel request that comes while the last task runs makes the server discard that task, with what it did. One that comes
// earlier is seen by the next task, when the end may be decided.
func TestCancelAtAnyMomentLeadsToOneOfTheTwoEnds(t *testing.T) {
	t.Parallel()
	steps := saga.Plan{Steps: []saga.Step{step("Flight"), step("Hotel")}, Retriable: tells()}
	pivot := steps
	pivot.Pivot = saga.Step{Name: "Confirm", Do: act("Confirm")}
	for name, plan := range map[string]saga.Plan{"steps only": steps, "a pivot": pivot} {
		for _, moment := range []string{"Flight", "Hotel", "Confirm", "told: done"} {
			if moment == "Confirm" && name == "steps only" {
				continue
			}
			t.Run(name+", "+moment, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				flow := func(ctx workflow.Context) (saga.Outcome, error) { return plan.Run(ctx, saga.Options{}) }
				s := newServer(t, w, flow)
				w.script[moment] = func(attempt int) error {
					if attempt == 1 {
						return s.CancelWorkflow(context.Background(), s.queue, "")
					}
					return nil
				}
				err := s.start(0).Get(t.Context(), nil)
				_, unwound := saga.Unwound(err)
				done, undone := w.did("told: done") > 0, w.did("told: undone") > 0
				if done == undone || undone != unwound || undone != (w.did("-Flight") > 0) || undone && w.did("Confirm") > 0 {
					t.Errorf("%v: %q", err, w.calls)
				}
				if undone && (moment == "Confirm" || moment == "told: done") {
					t.Errorf("undone after the point of no return: %q", w.calls)
				}
				s.history(flow)
			})
		}
	}
}

func TestSagaWithoutAFenceCostsOneMoreWorkflowTask(t *testing.T) {
	t.Parallel()
	fenced := saga.Plan{
		Steps: []saga.Step{step("Flight"), step("Hotel")}, Pivot: saga.Step{Name: "Confirm", Do: act("Confirm")},
		Fence: func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
	}
	open := fenced
	open.Pivot, open.Fence = saga.Step{}, nil
	for name, tt := range map[string]struct {
		plan         saga.Plan
		unregistered []bool
		tasks        int
	}{
		"a fence": {fenced, nil, 1}, "no fence": {open, nil, 2}, "no fence, not registered": {open, []bool{true}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			flow := func(ctx workflow.Context) (saga.Outcome, error) { return tt.plan.Run(ctx, saga.Options{}) }
			s := newServer(t, w, flow, tt.unregistered...)
			var out saga.Outcome
			if err := s.start(0).Get(t.Context(), &out); err != nil || out.End != saga.WentForward {
				t.Fatalf("%+v, %v", out, err)
			}
			tasks := 0
			for _, e := range s.history(flow) {
				if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
					tasks++
				}
			}
			if tasks != tt.tasks {
				t.Errorf("%d workflow tasks, want %d", tasks, tt.tasks)
			}
		})
	}
}

func TestSagaThatNeedsAttentionGoesOnWithoutSearchAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	asked := make(chan saga.Attention, 10)
	flow := func(ctx workflow.Context) (saga.Outcome, error) {
		return trip(step("Hotel")).Run(ctx, saga.Options{
			StepPatience: time.Second, OnAttention: func(_ workflow.Context, a saga.Attention) { asked <- a },
		})
	}
	s := newServer(t, w, flow)
	broken := true
	w.script["Hotel"] = func(int) error {
		if broken {
			return errReset
		}
		return nil
	}
	run := s.start(0)
	<-asked
	w.mu.Lock()
	broken = false
	w.mu.Unlock()
	if err := s.SignalWorkflow(t.Context(), s.queue, "", saga.SignalRetry, alice); err != nil {
		t.Fatal(err)
	}
	wantForward(t, run.Get(t.Context(), nil))
	s.history(flow)
}

func TestCheckAttributesNamesThoseThatTheNamespaceLacks(t *testing.T) {
	t.Parallel()
	s := newServer(t, newWorld(), func(workflow.Context) error { return nil })
	for name, tt := range map[string]struct {
		a    saga.Attributes
		want string
	}{
		"none":         {saga.Attributes{}, ""},
		"unknown":      {saga.Attributes{Status: "NoSuchStatus", Step: "NoSuchStep"}, "lacks the search attributes NoSuchStatus, NoSuchStep"},
		"another type": {saga.Attributes{Error: "TemporalChangeVersion"}, "lacks the search attributes TemporalChangeVersion"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := saga.CheckAttributes(t.Context(), s, "default", tt.a)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := saga.CheckAttributes(t.Context(), s, "no-such-namespace", saga.DefaultAttributes()); err == nil {
		t.Error("a namespace that does not exist has the attributes")
	}
}

// The server cuts the retries of an activity short when the workflow's own timeout is near.
func TestSagaDoesNotHurryBeforeItsWorkflowTimesOut(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := saga.Plan{Steps: []saga.Step{step("Flight")}, Retriable: []saga.Step{{Name: "Tell", Do: act("Tell")}}}
	s := newServer(t, w, func(ctx workflow.Context) (saga.Outcome, error) {
		return p.Run(ctx, saga.Options{UndoPatience: time.Minute})
	})
	w.script["Tell"] = always(errReset)
	if err := s.start(12*time.Second).Get(t.Context(), nil); err == nil || errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the workflow's timeout", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.tries["Tell"]; n > 15 {
		t.Errorf("%d calls in 12 seconds", n)
	}
}
