package activities

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ordersaga/internal/order"
)

// fakeSagas knows workflows by the state that matters to recovery.
type fakeSagas struct {
	pages      map[string][]order.ID // by page token
	next       map[string]string
	attended   map[order.ID]bool
	recovered  []order.Request
	recoverErr error
}

func (f *fakeSagas) Interrupted(_ context.Context, _ time.Time, page []byte) ([]order.ID, []byte, error) {
	return f.pages[string(page)], []byte(f.next[string(page)]), nil
}

func (f *fakeSagas) Unattended(_ context.Context, id order.ID) (bool, error) {
	return !f.attended[id], nil
}

func (f *fakeSagas) Request(_ context.Context, id order.ID) (order.Request, error) {
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

func TestInterruptedOrderIsRecoveredUnlessItWasResetAndGoesOn(t *testing.T) {
	t.Parallel()
	f := &fakeSagas{
		pages:    map[string][]order.ID{"": {"a", "b"}},
		next:     map[string]string{"": "page 2"},
		attended: map[order.ID]bool{"b": true},
	}
	r := &Recovery{Sagas: f, Orders: fakeRows{}}
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

func TestUnfinishedRowIsRecoveredUnlessItsWorkflowRuns(t *testing.T) {
	t.Parallel()
	f := &fakeSagas{attended: map[order.ID]bool{"running": true}}
	r := &Recovery{Sagas: f, Orders: fakeRows{[]order.Order{
		{ID: "running"},
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
	r := &Recovery{Sagas: f, Orders: fakeRows{}}
	if _, err := r.RecoverInterrupted(t.Context(), RecoverInterruptedInput{}); err == nil {
		t.Error("no error")
	}
}
