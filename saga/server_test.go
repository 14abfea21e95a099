package saga_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/saga"
)

// sick is an outside system that breaks until it is healed. Its second call hangs.
type sick struct {
	mu      sync.Mutex
	calls   int
	healthy bool
}

func (s *sick) Call(ctx context.Context, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch {
	case s.calls == 2:
		<-ctx.Done()
		return ctx.Err()
	case !s.healthy:
		return errBroken
	}
	return nil
}

// heal returns how often it was called until then.
func (s *sick) heal() (calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.healthy = true
	return s.calls
}

// What the test environment cannot show is how a server ends a window of retries, and what it tells of the attempts.
func TestAttemptsAreCountedAsAServerMadeThem(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Temporal server; skipped by -short")
	}
	address, queue := os.Getenv("TEST_TEMPORAL_ADDRESS"), "saga"+strings.ToLower(rand.Text()[:16])
	if address == "" {
		t.Fatal("TEST_TEMPORAL_ADDRESS is not set: run the tests with `make test`, which starts a server, or with -short")
	}
	c, err := client.Dial(client.Options{HostPort: address, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s, before := &sick{}, 0
	nothing := func(workflow.Context) error { return nil }
	run := func(ctx workflow.Context) (told []string, err error) {
		err = saga.Plan{
			Steps: []saga.Step{{Name: "A", Timeout: time.Second, Do: func(ctx workflow.Context) error {
				return saga.Execute(ctx, s.Call, "", nil)
			}}},
			Pivot:  saga.Step{Name: "Confirm", Do: nothing},
			Fence:  func(workflow.Context, saga.Cause) (saga.Verdict, error) { return saga.Backward, nil },
			Finish: saga.Step{Name: "Finish", Do: nothing},
			Retriable: []saga.Step{{Name: "Look", Do: func(ctx workflow.Context) error {
				for _, e := range saga.Timeline(ctx) {
					if e.Attempts > 0 {
						told = append(told, fmt.Sprintf("%s %s %d", e.Step, e.Kind, e.Attempts))
					}
				}
				return nil
			}}},
		}.Run(ctx, saga.Options{
			StepPatience: 6 * time.Second,
			OnTrouble:    func(workflow.Context, saga.Trouble) { before = s.heal() },
		})
		return told, err
	}
	w := worker.New(c, queue, worker.Options{Interceptors: []interceptor.WorkerInterceptor{saga.CountAttempts()}})
	w.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: "run"})
	w.RegisterActivityWithOptions(s.Call, activity.RegisterOptions{})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	started, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, "run")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	if err := started.Get(t.Context(), &told); err != nil {
		t.Fatal(err)
	}
	if before < 3 {
		t.Errorf("the saga was in trouble after %d attempts", before)
	}
	want := []string{fmt.Sprint("A NEEDS_ATTENTION ", before), fmt.Sprint("A DONE ", s.heal())}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}
