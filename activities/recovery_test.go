package activities

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/internal/logtest"
	"github.com/ordersaga/ordersaga/internal/order"
)

var discard = slog.New(slog.DiscardHandler)

// fakeWorkflows knows workflows by the state that matters to recovery.
type fakeWorkflows struct {
	pages      map[string][]order.ID // by page token
	next       map[string]string
	states     map[order.ID]order.SagaState // interrupted unless it says otherwise
	recovered  []order.Request
	rerun      []order.ID
	recoverErr error
}

func (f *fakeWorkflows) Interrupted(_ context.Context, _ time.Time, page []byte) ([]order.ID, []byte, error) {
	return f.pages[string(page)], []byte(f.next[string(page)]), nil
}

func (f *fakeWorkflows) State(_ context.Context, id order.ID) (order.SagaState, error) {
	if state, ok := f.states[id]; ok {
		return state, nil
	}
	return order.SagaInterrupted, nil
}

func (f *fakeWorkflows) Request(_ context.Context, id order.ID) (order.Request, error) {
	if id == "garbage" {
		return order.Request{}, order.ErrNoRequest
	}
	return order.Request{ID: id, UserID: 42}, nil
}

func (f *fakeWorkflows) Recover(_ context.Context, req order.Request) error {
	f.recovered = append(f.recovered, req)
	return f.recoverErr
}

func (f *fakeWorkflows) RecoverAgain(ctx context.Context, req order.Request) error {
	return f.Recover(ctx, req)
}

func (f *fakeWorkflows) Rerun(_ context.Context, req order.Request) error {
	f.rerun = append(f.rerun, req.ID)
	return f.recoverErr
}

// fakeRows are the rows on a page, and how some of them are now.
type fakeRows struct {
	rows []order.Order
	now  map[order.ID]order.Order
}

func (f fakeRows) Order(_ context.Context, id order.ID) (order.Order, error) {
	if row, ok := f.now[id]; ok {
		return row, nil
	}
	for _, row := range f.rows {
		if row.ID == id {
			return row, nil
		}
	}
	return order.Order{}, order.ErrNotFound
}

func (f fakeRows) Unfinished(context.Context, time.Duration, string, int) ([]order.Order, string, error) {
	return f.rows, "", nil
}

func TestInterruptedOrdersAreRecoveredUnlessTheyWereResetOrHaveNoRequest(t *testing.T) {
	t.Parallel()
	f := &fakeWorkflows{
		pages:  map[string][]order.ID{"": {"running", "garbage", "a", "completed"}},
		states: map[order.ID]order.SagaState{"running": order.SagaRunning, "completed": order.SagaCompleted},
	}
	r := &Recovery{Workflows: f, Orders: fakeRows{}, Log: discard}
	if got, err := run(r.RecoverInterrupted, RecoverInterruptedInput{}); err != nil || got.Orders != 1 {
		t.Fatalf("recovered %d orders, %v; want 1", got.Orders, err)
	}
	if diff := cmp.Diff([]order.Request{{ID: "a", UserID: 42}}, f.recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

func TestUnfinishedRowIsRecoveredUnlessItsWorkflowRuns(t *testing.T) {
	t.Parallel()
	f := &fakeWorkflows{states: map[order.ID]order.SagaState{
		"running": order.SagaRunning, "completed": order.SagaCompleted, "lost": order.SagaUnknown,
		"confirmed since": order.SagaCompleted, "failed since": order.SagaInterrupted,
	}}
	var log logtest.Buffer
	r := &Recovery{Log: slog.New(slog.NewTextHandler(&log, nil)), Workflows: f, Orders: fakeRows{
		rows: []order.Order{
			{ID: "running", Status: order.Pending},
			{ID: "completed", Status: order.Pending},
			{ID: "confirmed since", Status: order.Pending},
			{ID: "failed since", Status: order.Pending, Closing: true},
			{ID: "lost", UserID: 7, Status: order.Pending, PaymentMethod: "pm_card_visa", Hash: "h",
				Items: []order.Line{{ProductID: "lamp", Name: "Lamp", Quantity: 2}}},
		},
		now: map[order.ID]order.Order{
			"confirmed since": {ID: "confirmed since", Status: order.Confirmed},
			"failed since":    {ID: "failed since", Status: order.Failed},
		},
	}}
	if got, err := run(r.RecoverUnfinished); err != nil || got.Orders != 2 {
		t.Fatalf("recovered %d orders, %v; want 2", got.Orders, err)
	}
	if diff := cmp.Diff([]order.ID{"completed"}, f.rerun); diff != "" {
		t.Errorf("run again (-want +got):\n%s", diff)
	}
	if strings.Contains(log.String(), "since") {
		t.Errorf("the log warns of rows that are at their end:\n%s", log.String())
	}
	want := []order.Request{{ID: "lost", UserID: 7, PaymentMethod: "pm_card_visa", Hash: "h",
		Items: []order.Item{{ProductID: "lamp", Quantity: 2}}}}
	if diff := cmp.Diff(want, f.recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

func TestSearchThatCannotRecoverAnOrderFailsAndIsRetried(t *testing.T) {
	t.Parallel()
	f := &fakeWorkflows{pages: map[string][]order.ID{"": {"a"}}, recoverErr: errors.New("unavailable")}
	r := &Recovery{Workflows: f, Orders: fakeRows{}, Log: discard}
	if _, err := run(r.RecoverInterrupted, RecoverInterruptedInput{}); err == nil {
		t.Error("no error")
	}
}

func TestRetriedSearchGoesOnWithThePageWhereItStopped(t *testing.T) {
	t.Parallel()
	f := &fakeWorkflows{
		pages: map[string][]order.ID{"": {"a"}, "page 2": {"b"}, "page 3": {"c"}},
		next:  map[string]string{"page 2": "page 3"},
	}
	r := &Recovery{Workflows: f, Orders: fakeRows{}, Log: discard}
	env := environment()
	env.SetHeartbeatDetails(searchProgress{Page: []byte("page 2"), Recovered: Recovered{Orders: 1}})
	got, err := runIn(env, r.RecoverInterrupted, RecoverInterruptedInput{})
	if err != nil || got.Orders != 3 {
		t.Errorf("recovered %d orders, %v; want 3", got.Orders, err)
	}
	if diff := cmp.Diff([]order.Request{{ID: "b", UserID: 42}, {ID: "c", UserID: 42}}, f.recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

func environment() *testsuite.TestActivityEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(discard))
	return suite.NewTestActivityEnvironment()
}

// run runs a search as an activity.
func run(search any, in ...any) (Recovered, error) { return runIn(environment(), search, in...) }

func runIn(env *testsuite.TestActivityEnvironment, search any, in ...any) (got Recovered, err error) {
	env.RegisterActivity(search)
	value, err := env.ExecuteActivity(search, in...)
	if err != nil {
		return got, err
	}
	return got, value.Get(&got)
}
