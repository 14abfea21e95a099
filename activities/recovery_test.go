package activities

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersaga/ordersaga/internal/order"
)

var discard = slog.New(slog.DiscardHandler)

// fakeSagas knows workflows by the state that matters to recovery.
type fakeSagas struct {
	pages      map[string][]order.ID // by page token
	next       map[string]string
	states     map[order.ID]order.SagaState // interrupted unless it says otherwise
	recovered  []order.Request
	recoverErr error
}

func (f *fakeSagas) Interrupted(_ context.Context, _ time.Time, page []byte) ([]order.ID, []byte, error) {
	return f.pages[string(page)], []byte(f.next[string(page)]), nil
}

func (f *fakeSagas) State(_ context.Context, id order.ID) (order.SagaState, error) {
	if state, ok := f.states[id]; ok {
		return state, nil
	}
	return order.SagaInterrupted, nil
}

func (f *fakeSagas) Request(_ context.Context, id order.ID) (order.Request, error) {
	if id == "garbage" {
		return order.Request{}, order.ErrNoRequest
	}
	return order.Request{ID: id, UserID: 42}, nil
}

func (f *fakeSagas) Recover(_ context.Context, req order.Request) error {
	f.recovered = append(f.recovered, req)
	return f.recoverErr
}

type fakeRows struct{ rows []order.Order }

func (f fakeRows) Unfinished(context.Context, time.Duration, string, int) ([]order.Order, string, error) {
	return f.rows, "", nil
}

func TestInterruptedOrderIsRecoveredUnlessItWasResetAndGarbageHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := &fakeSagas{
		pages:  map[string][]order.ID{"": {"running", "garbage", "a", "completed"}},
		next:   map[string]string{"": "page 2"},
		states: map[order.ID]order.SagaState{"running": order.SagaRunning, "completed": order.SagaCompleted},
	}
	r := &Recovery{Sagas: f, Orders: fakeRows{}, Log: discard}
	got, err := r.RecoverInterrupted(t.Context(), RecoverInterruptedInput{})
	if err != nil {
		t.Fatal(err)
	}
	want := RecoverInterruptedResult{Next: []byte("page 2"), Recovered: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]order.Request{{ID: "a", UserID: 42}}, f.recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

func TestUnfinishedRowIsRecoveredUnlessItsWorkflowRunsOrHasCompleted(t *testing.T) {
	t.Parallel()
	f := &fakeSagas{states: map[order.ID]order.SagaState{
		"running": order.SagaRunning, "completed": order.SagaCompleted, "lost": order.SagaUnknown,
	}}
	r := &Recovery{Log: discard, Sagas: f, Orders: fakeRows{[]order.Order{
		{ID: "running"},
		{ID: "completed"},
		{ID: "lost", UserID: 7, PaymentMethod: "pm_card_visa", Hash: "h", Items: []order.Line{{ProductID: "lamp", Name: "Lamp", Quantity: 2}}},
	}}}
	if _, err := r.RecoverUnfinished(t.Context(), RecoverUnfinishedInput{}); err != nil {
		t.Fatal(err)
	}
	want := []order.Request{{ID: "lost", UserID: 7, PaymentMethod: "pm_card_visa", Hash: "h",
		Items: []order.Item{{ProductID: "lamp", Quantity: 2}}}}
	if diff := cmp.Diff(want, f.recovered); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

func TestSearchThatCannotRecoverAnOrderFailsAndIsRetried(t *testing.T) {
	t.Parallel()
	f := &fakeSagas{pages: map[string][]order.ID{"": {"a"}}, recoverErr: errors.New("unavailable")}
	r := &Recovery{Sagas: f, Orders: fakeRows{}, Log: discard}
	if _, err := r.RecoverInterrupted(t.Context(), RecoverInterruptedInput{}); err == nil {
		t.Error("no error")
	}
}
