package workflows_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/workflows"
)

const orderID order.ID = "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11"

func request(method string, items ...order.Item) order.Request {
	if len(items) == 0 {
		items = []order.Item{{ProductID: lamp, Quantity: 2}}
	}
	return order.Request{ID: orderID, UserID: 42, Items: items, PaymentMethod: method, Hash: strings.Repeat("0", 64)}
}

// run runs the order saga to its end in w and checks every promise.
func run(t *testing.T, w *world, req order.Request) order.Order {
	t.Helper()
	return runIn(t, newEnv(w), w, workflows.CreateOrder, req)
}

func runIn(t *testing.T, env *testsuite.TestWorkflowEnvironment, w *world, wf any, req order.Request) order.Order {
	t.Helper()
	id := req.ID.WorkflowID()
	if reflect.ValueOf(wf).Pointer() == reflect.ValueOf(workflows.RecoverOrder).Pointer() {
		id = req.ID.RecoveryID()
	}
	w.attach(env)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: "orders"})
	env.ExecuteWorkflow(wf, req)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	if err := env.GetWorkflowError(); err != nil {
		t.Fatalf("the workflow failed: %v", err)
	}
	var result activities.Progress
	if err := env.GetWorkflowResult(&result); err != nil {
		t.Fatal(err)
	}
	row := w.check(t, req.ID)
	if diff := cmp.Diff(activities.ProgressOf(row), result); diff != "" {
		t.Errorf("the workflow's result differs from the row (-row +result):\n%s", diff)
	}
	return row
}

func wantEnd(t *testing.T, got order.Order, status order.Status, reason order.Reason) {
	t.Helper()
	if got.Status != status || got.Reason() != reason {
		t.Errorf("the order ended %s %s, want %s %s", got.Status, got.Reason(), status, reason)
	}
}

func TestUndisturbedOrderIsConfirmedWithoutARegularActivity(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := newEnv(w)
	regular := 0
	env.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { regular++ })
	got := runIn(t, env, w, workflows.CreateOrder, request(visa))
	wantEnd(t, got, order.Confirmed, "")
	if want := (money.Money{Amount: 2598, Currency: "USD"}); got.Total != want {
		t.Errorf("total %v, want %v", got.Total, want)
	}
	if regular != 0 {
		t.Errorf("%d regular activities ran", regular)
	}
}

func TestRefusedOrderIsUndoneAndAnnounced(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		req  order.Request
		want order.Reason
	}{
		"card declined":   {request(broke), order.PaymentDeclined},
		"out of stock":    {request(visa, order.Item{ProductID: chair, Quantity: 2}), order.OutOfStock},
		"unknown product": {request(visa, order.Item{ProductID: "unicorn", Quantity: 1}), order.ProductNotFound},
		"mixed currencies": {
			request(visa, order.Item{ProductID: lamp, Quantity: 1}, order.Item{ProductID: inYen, Quantity: 1}), order.MixedCurrencies,
		},
		"gold": {request(visa, order.Item{ProductID: inGold, Quantity: 1}), order.InvalidAmount},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantEnd(t, run(t, newWorld(), tt.req), order.Failed, tt.want)
		})
	}
}

func TestTheRowTellsTheOutcomeBeforeTheUndosAndTheEvent(t *testing.T) {
	t.Parallel()
	for method, later := range map[string]string{visa: "PublishEvent", broke: "RefundPayment"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			run(t, w, request(method))
			learned := slices.IndexFunc(w.log, func(e entry) bool { return e.kind == told })
			if scheduled := (story{log: w.log}).first(-1, scheduled, later); learned < 0 || learned > scheduled {
				t.Errorf("a client learns the outcome at %d, and %s is scheduled at %d of %v", learned, later, scheduled, w.log)
			}
		})
	}
}

func TestCancelUpdateUndoesTheOrderUnlessItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 3, fault{before: errBroken})
	env := newEnv(w)
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(workflows.UpdateCancel, "cancel", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(err error) { t.Error(err) },
			OnComplete: func(_ any, err error) {
				if err != nil {
					t.Error(err)
				}
			},
		}, workflows.CancelRequest{By: workflows.ByUser, Reason: "changed my mind"})
	}, 200*time.Millisecond)
	got := runIn(t, env, w, workflows.CreateOrder, request(visa))
	wantEnd(t, got, order.Cancelled, order.CancelledByUser)
}

func TestCancelUpdateWithoutACancellerIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 3, fault{before: errBroken})
	env := newEnv(w)
	rejected := false
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(workflows.UpdateCancel, "cancel", &testsuite.TestUpdateCallback{
			OnAccept: func() {}, OnReject: func(error) { rejected = true }, OnComplete: func(any, error) {},
		}, workflows.CancelRequest{})
	}, 200*time.Millisecond)
	wantEnd(t, runIn(t, env, w, workflows.CreateOrder, request(visa)), order.Confirmed, "")
	if !rejected {
		t.Error("the update was accepted")
	}
}

func TestWorkflowWithAnInvalidOrderFailsBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		id  string
		req order.Request
	}{
		"empty input":        {orderID.WorkflowID(), order.Request{}},
		"no items":           {orderID.WorkflowID(), order.Request{ID: orderID}},
		"no quantity":        {orderID.WorkflowID(), request(visa, order.Item{ProductID: lamp})},
		"another order's ID": {"order-0190d3a2-7c1e-7a44-9a07-000000000000", request(visa)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			env := newEnv(w)
			env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: tt.id, TaskQueue: "orders"})
			env.ExecuteWorkflow(workflows.CreateOrder, tt.req)
			if env.GetWorkflowError() == nil || len(w.calls) != 0 {
				t.Errorf("error %v, calls %v", env.GetWorkflowError(), w.calls)
			}
		})
	}
}

func TestCommandsAreInTheTimeline(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{"before the end is recorded": "RefundPayment", "after it": "PublishEvent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.breakNext(step, 12, fault{before: errBroken})
			env := newEnv(w)
			env.RegisterDelayedCallback(func() {
				env.SignalWorkflow(saga.SignalRetry, saga.Command{Operator: "alice", Reason: "it is back"})
			}, time.Minute)
			runIn(t, env, w, workflows.CreateOrder, request(broke))
			entries, err := w.Memory.Timeline(t.Context(), orderID)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range entries {
				found = found || r.Type == order.EntryCommand && r.Detail == "retry by alice: it is back"
			}
			if !found {
				t.Errorf("timeline %+v", entries)
			}
		})
	}
}

func TestCustomerDoesNotSeeTheOperatorsReason(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 100, fault{before: errBroken})
	env := newEnv(w)
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(saga.SignalCompensate, saga.Command{Operator: "alice", Reason: "suspected fraud"})
	}, time.Minute)
	got := runIn(t, env, w, workflows.CreateOrder, request(visa))
	wantEnd(t, got, order.Cancelled, order.CancelledByOperator)
	if strings.Contains(got.Cause.Message, "fraud") {
		t.Errorf("the customer sees %q", got.Cause.Message)
	}
}
