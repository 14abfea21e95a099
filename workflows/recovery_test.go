package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// lists is what a search for interrupted orders reads: two pages of workflows, and two of rows.
type lists struct {
	since   []time.Time
	cursors []string
	found   []order.ID
	resumed []string // refunds and shipments
}

func (*lists) InterruptedRefunds(context.Context, time.Time, []byte) ([]order.RefundRequest, []byte, error) {
	return []order.RefundRequest{{ID: "interrupted refund"}}, nil, nil
}

// unsettled is a store with these rows.
type unsettled[T any] []T

func (u unsettled[T]) Unsettled(context.Context, time.Duration, string, int) ([]T, string, error) {
	return u, "", nil
}

func (l *lists) ResumeRefund(_ context.Context, req order.RefundRequest) error {
	l.resumed = append(l.resumed, string(req.ID))
	return nil
}

func (l *lists) StartShipment(_ context.Context, req order.ShipmentRequest) error {
	l.resumed = append(l.resumed, string(req.ID))
	return nil
}

func (l *lists) Interrupted(_ context.Context, since time.Time, page []byte) ([]order.ID, []byte, error) {
	l.since = append(l.since, since)
	if len(page) == 0 {
		return []order.ID{"workflow 1"}, []byte("second"), nil
	}
	return []order.ID{"workflow 2"}, nil, nil
}

func (l *lists) RecoverAgain(ctx context.Context, req order.Request) error {
	return l.Recover(ctx, req)
}

func (*lists) Rerun(context.Context, order.Request) error {
	return errors.New("no workflow has completed")
}

func (*lists) Order(_ context.Context, id order.ID) (order.Order, error) {
	return order.Order{ID: id, Status: order.Pending}, nil
}

func (l *lists) Unfinished(_ context.Context, _ time.Duration, cursor string, _ int) ([]order.Order, string, error) {
	l.cursors = append(l.cursors, cursor)
	if cursor == "" {
		return []order.Order{{ID: "row 1"}}, "second", nil
	}
	return []order.Order{{ID: "row 2"}}, "", nil
}

func (*lists) State(context.Context, order.ID) (order.SagaState, error) {
	return order.SagaInterrupted, nil
}

func (*lists) Request(_ context.Context, id order.ID) (order.Request, error) {
	return order.Request{ID: id}, nil
}

func (l *lists) Recover(_ context.Context, req order.Request) error {
	l.found = append(l.found, req.ID)
	return nil
}

func TestSearchReadsEveryPageAndTheNextOneStartsWhereItStarted(t *testing.T) {
	t.Parallel()
	l := &lists{}
	first := search(t, l, nil)
	want := []order.ID{"workflow 1", "workflow 2", "row 1", "row 2"}
	if diff := cmp.Diff(want, l.found); diff != "" || first.Recovered != 4 {
		t.Errorf("recovered %d (-want +got):\n%s", first.Recovered, diff)
	}
	if diff := cmp.Diff([]string{"interrupted refund", "unsettled refund", "shipment"}, l.resumed); diff != "" {
		t.Errorf("resumed (-want +got):\n%s", diff)
	}
	second := search(t, l, &first)
	if lag := time.Since(first.Next); lag < 9*time.Minute {
		t.Errorf("the next search starts only %s back: the list of workflows may lag more", lag)
	}
	if !l.since[0].IsZero() {
		t.Errorf("the first search started at %s, want no bound", l.since[0])
	}
	if got := l.since[len(l.since)-1]; !got.Equal(first.Next) || second.Next.Before(first.Next) {
		t.Errorf("the second search started at %s, want %s", got, first.Next)
	}
}

func search(t *testing.T, l *lists, last *workflows.RecoverOrdersResult) workflows.RecoverOrdersResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivity(&activities.Recovery{Workflows: l, Orders: l, MinAge: time.Minute, Log: slog.New(slog.DiscardHandler)})
	env.RegisterActivity(&activities.BookRecovery{
		Workflows: l, MinAge: time.Minute,
		Refunds: unsettled[order.Refund]{{ID: "unsettled refund"}}, Shipments: unsettled[order.Shipment]{{ID: "shipment"}},
	})
	if last != nil {
		env.SetLastCompletionResult(last)
	}
	env.ExecuteWorkflow(workflows.RecoverOrders)
	var got workflows.RecoverOrdersResult
	if err := env.GetWorkflowResult(&got); err != nil {
		t.Fatal(err)
	}
	return got
}
