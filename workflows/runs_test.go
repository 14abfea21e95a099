package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/testsuite"

	"github.com/ordersaga/ordersaga/activities"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/saga"
	"github.com/ordersaga/ordersaga/saga/sagatest"
	"github.com/ordersaga/ordersaga/workflows"
)

// explored is the saga of an order of lamps, as the explorer sees it.
func explored() sagatest.Saga {
	req := request(visa)
	s := placing(req)
	s.World = func() sagatest.World {
		w := newWorld()
		return w.seen(w.activities(), req.ID)
	}
	return s
}

// placing is the saga of an order. It lacks a world.
func placing(req order.Request) sagatest.Saga {
	return sagatest.Saga{
		Workflow: workflows.CreateOrder, ID: req.ID.WorkflowID(), Args: []any{req},
		Recover: workflows.RecoverOrder, RecoverID: req.ID.RecoveryID(),
		Deadline: workflows.PivotTimeout,
		Fence:    "CloseOrder",
		Refused:  "CommitStock",
		Refusal:  refusal,
		Ended:    ended,
	}
}

// refusal is how an activity refuses. What the saga must do in any case, such as an undo, has no refusals of its own.
func refusal(activity string) error {
	reason := map[string]order.Reason{
		"PriceItems": order.ProductNotFound, "CreateOrder": order.InvalidAmount, "ReserveStock": order.OutOfStock,
		"ChargePayment": order.PaymentDeclined, "CommitStock": order.ReservationLost, "ConfirmOrder": order.MixedCurrencies,
	}[activity]
	if reason == "" {
		return saga.Refuse("NO", "no", nil)
	}
	return saga.Refuse(string(reason), "no", order.Cause{Reason: reason, Message: "no"})
}

// ended is how the workflow's result says that the order ended. A refused or cancelled order is not a failed workflow.
func ended(env *testsuite.TestWorkflowEnvironment) (saga.End, error) {
	var result activities.Progress
	if err := env.GetWorkflowResult(&result); err != nil {
		return "", err
	}
	if result.Status == order.Confirmed {
		return saga.WentForward, nil
	}
	return saga.WasUnwound, nil
}

var errBroken = errors.New("connection reset")

// breaks makes n calls of the activity fail.
func breaks(activity string, n int, err error) sagatest.Strike {
	return sagatest.Strike{Activity: activity, Disturbance: sagatest.Disturbance{Name: "broken", Times: n, Error: err}}
}

// run runs the order saga to its end in w and checks every promise.
func run(t *testing.T, w *world, req order.Request, strikes ...sagatest.Strike) order.Order {
	t.Helper()
	row, _ := runPrepared(t, w, req, nil, strikes...)
	return row
}

// runPrepared is run in a test environment that prepare prepares. It also returns what happened.
func runPrepared(
	t *testing.T, w *world, req order.Request, prepare func(*testsuite.TestWorkflowEnvironment), strikes ...sagatest.Strike,
) (order.Order, sagatest.Story) {
	t.Helper()
	s := placing(req)
	s.Setup = prepare
	s.World = func() sagatest.World { return w.seen(w.activities(), req.ID) }
	return runSaga(t, s, w, req.ID, strikes...)
}

func runSaga(
	t *testing.T, s sagatest.Saga, w *world, id order.ID, strikes ...sagatest.Strike,
) (order.Order, sagatest.Story) {
	t.Helper()
	story, found := sagatest.Run(s, strikes...)
	for _, f := range found {
		t.Errorf("%s: %s", f.Promise, f.Problem)
	}
	row, err := w.orders.Order(context.Background(), id)
	if err != nil {
		t.Fatalf("the order's row: %v", err)
	}
	var result activities.Progress
	if err := story.Result(&result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(activities.ProgressOf(row), result); diff != "" {
		t.Errorf("the workflow's result differs from the row (-row +result):\n%s", diff)
	}
	return row, story
}
