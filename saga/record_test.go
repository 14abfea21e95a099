//go:build histories

package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/ordersaga/ordersaga/saga"
)

// recordedRelease is the release that the histories are recorded for. Those of earlier releases stay.
const recordedRelease = "v0.1.0"

// recording is a path through a saga. acts say what happens in the calls of its activities.
type recording struct {
	workflow any
	args     []any
	slow     bool // without the fast path
	acts     []gesture
}

// gesture is what happens in a call of an activity, after its effect. call counts from 1; 0 means every call.
type gesture struct {
	name string
	call int
	do   func(r *recorder) error
}

// recorder is a recording in progress.
type recorder struct {
	c  client.Client
	id string

	mu    sync.Mutex
	calls map[string]int
}

func run(plan string, acts ...gesture) recording {
	return recording{workflow: RecordedSaga, args: []any{plan, time.Duration(0)}, acts: acts}
}

func (r recording) slowly() recording {
	r.slow = true
	return r
}

func within(deadline time.Duration, plan string, acts ...gesture) recording {
	return recording{workflow: RecordedSaga, args: []any{plan, deadline}, acts: acts}
}

func refuses(name string) gesture {
	return gesture{name, 0, func(*recorder) error { return saga.Refuse("NO", "not today", nil) }}
}

func breaks(name string, call int) gesture {
	return gesture{name, call, func(*recorder) error { return errors.New("broken") }}
}

func needsHelp(name string, call int) gesture {
	return gesture{name, call, func(*recorder) error { return saga.NeedsAttention(errors.New("the key is wrong")) }}
}

func cancels(name string) gesture {
	return gesture{name, 1, func(r *recorder) error { return r.c.CancelWorkflow(context.Background(), r.id, "") }}
}

func signals(name, signal string, arg any) gesture {
	return gesture{name, 1, func(r *recorder) error {
		return r.c.SignalWorkflow(context.Background(), r.id, "", signal, arg)
	}}
}

func command(step string) saga.Command {
	return saga.Command{Operator: "alice", Reason: "as agreed", Step: step}
}

var recordings = map[string]recording{
	"steps-forward":   run("steps"),
	"steps-regular":   run("steps").slowly(),
	"steps-refused":   run("steps", refuses("D")),
	"steps-fell-back": run("steps", breaks("B", 1)),
	"steps-cancelled": run("steps", cancels("A")).slowly(),
	"steps-too-late":  run("steps", cancels("D")),

	"pivot-forward": run("pivot"),
	"pivot-refused": run("pivot", refuses("pivot")),
	"pivot-broken":  run("pivot", breaks("pivot", 1)),

	"fence-forward":   run("fence"),
	"fence-regular":   run("fence").slowly(),
	"fence-refused":   run("fence", refuses("D")),
	"fence-fell-back": run("fence", breaks("close", 1), refuses("D")),
	"fence-lost-task": run("fence", signals("tell", saga.SignalRetry, command(""))),
	"fence-cancelled": run("fence", cancels("B")).slowly(),
	"closed-forward":  run("closed", refuses("pivot")),
	"recovered":       {workflow: RecoveredSaga, args: []any{"fence"}},
	"recovered-ahead": {workflow: RecoveredSaga, args: []any{"closed"}},

	"healed":       run("steps", needsHelp("A", 1), needsHelp("A", 2), signals("alert", saga.SignalRetry, command("A"))),
	"given-up":     run("fence", needsHelp("B", 0), signals("alert", saga.SignalCompensate, command(""))),
	"undo-skipped": run("fence", refuses("D"), needsHelp("-A", 0), signals("alert", saga.SignalSkip, command("UndoA"))),
	"undo-healed": run("steps", refuses("D"), needsHelp("-A", 1), needsHelp("-A", 2),
		signals("alert", saga.SignalRetry, command(""))),
	"mistaken":      run("steps", needsHelp("A", 1), needsHelp("A", 2), gesture{"alert", 1, mistaken}),
	"retriable":     run("fence", needsHelp("tell", 0), signals("alert", saga.SignalSkip, command("tell"))),
	"omitted":       run("optional", refuses("maybe")),
	"approved":      run("approval", signals("A", "approval", "yes")),
	"not-approved":  within(time.Second, "approval"),
	"slept":         run("sleep"),
	"overslept":     within(500*time.Millisecond, "sleep"),
	"child-forward": run("child"),
	"child-refused": run("child", refuses("D")),

	"nested-forward":   run("nested"),
	"nested-refused":   run("nested", refuses("Y")),
	"nested-cancelled": run("nested", cancels("X")).slowly(),
	"two-forward":      {workflow: TwoSagas, args: []any{"steps", "fence"}},
	"two-refused":      {workflow: TwoSagas, args: []any{"steps", "optional"}, acts: []gesture{refuses("maybe"), refuses("D")}},
}

// mistaken sends a signal that makes no sense, and then one that does.
func mistaken(r *recorder) error {
	return errors.Join(
		r.c.SignalWorkflow(context.Background(), r.id, "", saga.SignalSkip, command("nothing")),
		r.c.SignalWorkflow(context.Background(), r.id, "", saga.SignalRetry, command("A")),
	)
}

// TestRecordHistories writes the histories that TestHistoriesReplay replays, on the server at TEST_TEMPORAL_ADDRESS:
//
//	go test -tags histories -run TestRecordHistories .
func TestRecordHistories(t *testing.T) {
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.Dial(client.Options{
		HostPort: os.Getenv("TEST_TEMPORAL_ADDRESS"), Identity: "recorder", Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, rec := range recordings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record(t, c, name, rec)
		})
	}
}

func record(t *testing.T, c client.Client, name string, rec recording) {
	r := &recorder{c: c, id: "history-" + name, calls: map[string]int{}}
	options := worker.Options{Identity: "recorder"}
	if rec.slow {
		options.Interceptors = []interceptor.WorkerInterceptor{saga.NoFastPath()}
	}
	wk := worker.New(c, r.id, options)
	saga.Register(wk)
	wk.RegisterWorkflow(RecordedSaga)
	wk.RegisterWorkflow(RecoveredSaga)
	wk.RegisterWorkflow(TwoSagas)
	wk.RegisterActivity(&actor{act: func(name string) error { return r.act(t, rec.acts, name) }})
	if err := wk.Start(); err != nil {
		t.Fatal(err)
	}
	defer wk.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	begun, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: r.id, TaskQueue: r.id}, rec.workflow, rec.args...)
	if err != nil {
		t.Fatal(err)
	}
	_ = begun.Get(ctx, nil) // an unwound saga is an error
	if ctx.Err() != nil {
		t.Fatal("the saga did not end")
	}
	var history historypb.History
	events := c.GetWorkflowHistory(ctx, r.id, begun.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if q := e.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue(); q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
			q.Name = "sticky" // it names the machine
		}
		history.Events = append(history.Events, e)
	}
	b, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&history)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(historyFiles, recordedRelease, name+".json"), append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// act does what the recording wants in this call.
func (r *recorder) act(t *testing.T, acts []gesture, name string) error {
	r.mu.Lock()
	r.calls[name]++
	call := r.calls[name]
	r.mu.Unlock()
	for _, a := range acts {
		if a.name == name && (a.call == 0 || a.call == call) {
			if err := a.do(r); err != nil {
				return err
			}
		}
	}
	return nil
}
