package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/internal/money"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

const orderID order.ID = "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11"

func request(method string, items ...order.Item) order.Request {
	if len(items) == 0 {
		items = []order.Item{{ProductID: lamp, Quantity: 2}}
	}
	return order.Request{ID: orderID, UserID: 42, Items: items, PaymentMethod: method, Hash: strings.Repeat("0", 64)}
}

func wantEnd(t *testing.T, got order.Order, status order.Status, reason order.Reason) {
	t.Helper()
	if got.Status != status || got.Reason() != reason {
		t.Errorf("the order ended %s %s, want %s %s", got.Status, got.Reason(), status, reason)
	}
}

func TestUndisturbedOrderIsConfirmedWithoutARegularActivity(t *testing.T) {
	t.Parallel()
	regular := 0
	got, _ := runPrepared(t, newWorld(), request(visa), func(env *testsuite.TestWorkflowEnvironment) {
		env.SetOnActivityStartedListener(func(*activity.Info, context.Context, converter.EncodedValues) { regular++ })
	})
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
	for method, calls := range map[string][2]string{visa: {"ConfirmOrder", "PublishEvent"}, broke: {"CloseOrder", "RefundPayment"}} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			_, story := runPrepared(t, newWorld(), request(method), nil)
			told := story.First(sagatest.AnyRun, sagatest.TookEffect, calls[0])
			if later := story.First(sagatest.AnyRun, sagatest.Scheduled, calls[1]); told < 0 || told > later {
				t.Errorf("a client learns the outcome at %d, and %s is scheduled at %d of %v", told, calls[1], later, story.Events)
			}
		})
	}
}

// cancelling sends the update cancel a little after the start, and passes to rejected whether it was rejected.
func cancelling(t *testing.T, req workflows.CancelRequest, rejected *error) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(workflows.UpdateCancel, "cancel", &testsuite.TestUpdateCallback{
				OnAccept: func() {}, OnReject: func(err error) { *rejected = err },
				OnComplete: func(_ any, err error) {
					if err != nil {
						t.Error(err)
					}
				},
			}, req)
		}, 200*time.Millisecond)
	}
}

func TestCancelUpdateUndoesTheOrderUnlessItIsConfirmed(t *testing.T) {
	t.Parallel()
	var rejected error
	cancel := cancelling(t, workflows.CancelRequest{By: workflows.ByUser, Reason: "changed my mind"}, &rejected)
	got, _ := runPrepared(t, newWorld(), request(visa), cancel, breaks("ChargePayment", 3, errBroken))
	wantEnd(t, got, order.Cancelled, order.CancelledByUser)
	if rejected != nil {
		t.Error(rejected)
	}
}

func TestCancelUpdateWithoutACancellerIsRejected(t *testing.T) {
	t.Parallel()
	var rejected error
	cancel := cancelling(t, workflows.CancelRequest{}, &rejected)
	got, _ := runPrepared(t, newWorld(), request(visa), cancel, breaks("ChargePayment", 3, errBroken))
	if wantEnd(t, got, order.Confirmed, ""); rejected == nil {
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
			s := placing(tt.req)
			s.ID, s.World = tt.id, func() sagatest.World { return sagatest.World{Activities: []any{newWorld().activities()}} }
			if story, _ := sagatest.Run(s); story.Err == nil || len(story.Events) != 0 {
				t.Errorf("error %v, events %v", story.Err, story.Events)
			}
		})
	}
}

// sending sends the signal of an operator after a minute.
func sending(signal, reason string) func(*testsuite.TestWorkflowEnvironment) {
	return func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() {
			env.SignalWorkflow(signal, saga.Command{Operator: "alice", Reason: reason})
		}, time.Minute)
	}
}

func TestCommandsAreInTheTimeline(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{"before the end is recorded": "RefundPayment", "after it": "PublishEvent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			runPrepared(t, w, request(broke), sending(saga.SignalRetry, "it is back"), breaks(step, 12, errBroken))
			entries, err := w.orders.Timeline(t.Context(), orderID)
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
	got, _ := runPrepared(t, newWorld(), request(visa), sending(saga.SignalCompensate, "suspected fraud"), breaks("ChargePayment", 100, errBroken))
	wantEnd(t, got, order.Cancelled, order.CancelledByOperator)
	if strings.Contains(got.Cause.Message, "fraud") {
		t.Errorf("the customer sees %q", got.Cause.Message)
	}
}
