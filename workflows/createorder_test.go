package workflows_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"ordersaga/internal/money"
	"ordersaga/internal/order"
	"ordersaga/saga"
	"ordersaga/workflows"
)

const orderID order.ID = "0190d3a2-7c1e-7a44-9a07-0c4a8e2f5b11"

func request(method string, items ...order.Item) order.Request {
	if len(items) == 0 {
		items = []order.Item{{ProductID: lamp, Quantity: 2}}
	}
	return order.Request{ID: orderID, UserID: 42, Items: items, PaymentMethod: method, Hash: strings.Repeat("0", 64)}
}

// newEnv returns a test environment in which the order saga acts on w.
func newEnv(t *testing.T, w *world) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetDisableRegistrationAliasing(true)
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // a busy machine is no deadlock
	env.RegisterWorkflow(workflows.CreateOrder)
	env.RegisterWorkflow(workflows.RecoverOrder)
	env.RegisterActivityWithOptions(w.activities(), activity.RegisterOptions{})
	return env
}

// run runs the order saga to its end in w and checks every promise.
func run(t *testing.T, w *world, req order.Request) order.Order {
	t.Helper()
	return runIn(t, newEnv(t, w), w, workflows.CreateOrder, req)
}

func runIn(t *testing.T, env *testsuite.TestWorkflowEnvironment, w *world, wf any, req order.Request) order.Order {
	t.Helper()
	id := req.ID.WorkflowID()
	if reflect.ValueOf(wf).Pointer() == reflect.ValueOf(workflows.RecoverOrder).Pointer() {
		id = req.ID.RecoveryID()
	}
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id, TaskQueue: "orders"})
	env.ExecuteWorkflow(wf, req)
	if !env.IsWorkflowCompleted() {
		t.Fatal("the workflow did not end")
	}
	if err := env.GetWorkflowError(); err != nil {
		t.Fatalf("the workflow failed: %v", err)
	}
	var result order.Order
	if err := env.GetWorkflowResult(&result); err != nil {
		t.Fatal(err)
	}
	row := w.check(t, req.ID)
	if result.Status != row.Status {
		t.Errorf("the workflow returned %s, the row is %s", result.Status, row.Status)
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
	env := newEnv(t, w)
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
		"card declined":    {request(broke), order.PaymentDeclined},
		"out of stock":     {request(visa, order.Item{ProductID: chair, Quantity: 2}), order.OutOfStock},
		"unknown product":  {request(visa, order.Item{ProductID: "unicorn", Quantity: 1}), order.ProductNotFound},
		"mixed currencies": {request(visa, order.Item{ProductID: lamp, Quantity: 1}, order.Item{ProductID: inYen, Quantity: 1}), order.MixedCurrencies},
		"no such money":    {request(visa, order.Item{ProductID: inGold, Quantity: 1}), order.InvalidAmount},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantEnd(t, run(t, newWorld(), tt.req), order.Failed, tt.want)
		})
	}
}

// forwardSteps are the steps up to and with the pivot; undoSteps what may run after the fence; in the order in which
// an undisturbed and a declined order call them.
var (
	forwardSteps = []string{"PriceItems", "CreateOrder", "ReserveStock", "ChargePayment", "CommitStock", "ConfirmOrder"}
	undoSteps    = []string{"CloseOrder", "RefundPayment", "ReleaseStock", "FinishOrder", "PublishEvent"}
)

func TestBrokenStepIsRetriedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	faults := map[string]fault{"fails before": {before: errBroken}, "answer lost": {after: errBroken}}
	for name, f := range faults {
		for _, times := range []int{1, 4} {
			for _, step := range append(forwardSteps[:len(forwardSteps):len(forwardSteps)], "PublishEvent") {
				t.Run(name+" "+step, func(t *testing.T) {
					t.Parallel()
					w := newWorld()
					w.breakNext(step, times, f)
					wantEnd(t, run(t, w, request(visa)), order.Confirmed, "")
					if w.calls[step] != times+1 {
						t.Errorf("%s was called %d times, want %d", step, w.calls[step], times+1)
					}
				})
			}
			for _, step := range undoSteps {
				t.Run(name+" unwinding "+step, func(t *testing.T) {
					t.Parallel()
					w := newWorld()
					w.breakNext(step, times, f)
					wantEnd(t, run(t, w, request(broke)), order.Failed, order.PaymentDeclined)
				})
			}
		}
	}
}

func TestCancelledOrderEndsInExactlyOneGoodEnd(t *testing.T) {
	t.Parallel()
	// A step that has broken before runs as a regular activity, where the cancellation meets it at work.
	for _, broken := range []bool{false, true} {
		for _, step := range append(forwardSteps[:len(forwardSteps):len(forwardSteps)], "PublishEvent") {
			name := "fast"
			if broken {
				name = "durable"
			}
			t.Run(name+" at "+step, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				if broken {
					w.breakNext("PriceItems", 1, fault{before: errBroken})
				}
				env := newEnv(t, w)
				w.onCall = func(op string) {
					if op == step && w.calls[op] == 0 {
						env.CancelWorkflow()
					}
				}
				got := runIn(t, env, w, workflows.CreateOrder, request(visa))
				if got.Status != order.Confirmed && got.Reason() != order.CancelledByOperator {
					t.Errorf("the order ended %s %s", got.Status, got.Reason())
				}
			})
		}
	}
}

func TestOrderPastItsDeadlineIsUndone(t *testing.T) {
	t.Parallel()
	for _, step := range forwardSteps {
		t.Run(step+" stays broken", func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.breakNext(step, 10_000, fault{before: errBroken})
			wantEnd(t, run(t, w, request(visa)), order.Failed, order.TimedOut)
		})
		t.Run(step+" takes effect but never answers", func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.breakNext(step, 10_000, fault{after: errBroken})
			got := run(t, w, request(visa))
			if step == "ConfirmOrder" {
				wantEnd(t, got, order.Confirmed, "") // the fence finds the pivot passed
			} else {
				wantEnd(t, got, order.Failed, order.TimedOut)
			}
		})
	}
}

// TestRunThatLostItsMemory runs the saga anew after the first steps of a run of which nothing was recorded, in a world
// that has changed meanwhile.
func TestRunThatLostItsMemory(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*world, *testsuite.TestWorkflowEnvironment){
		"nothing changed": func(*world, *testsuite.TestWorkflowEnvironment) {},
		"cancelled": func(_ *world, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(env.CancelWorkflow, 0)
		},
		"product gone": func(w *world, _ *testsuite.TestWorkflowEnvironment) { delete(w.prices, lamp) },
		"price changed": func(w *world, _ *testsuite.TestWorkflowEnvironment) {
			w.prices[lamp] = money.Money{Amount: 9999, Currency: "USD"}
		},
		"out of stock": func(w *world, _ *testsuite.TestWorkflowEnvironment) {
			lost := w.stock[lamp]
			w.stock[lamp] = 0
			w.holds["another order"] = &hold{state: "sold", items: []order.Item{{ProductID: lamp, Quantity: lost}}}
		},
		"past its deadline": func(w *world, _ *testsuite.TestWorkflowEnvironment) {
			w.breakNext("PriceItems", 10_000, fault{before: errBroken})
		},
	}
	for done := range len(forwardSteps) + 1 {
		for name, change := range changes {
			last := "nothing"
			if done > 0 {
				last = forwardSteps[done-1]
			}
			t.Run(name+" after "+last, func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				lostRun(t, w, request(visa), done)
				env := newEnv(t, w)
				change(w, env)
				got := runIn(t, env, w, workflows.CreateOrder, request(visa))
				if done == len(forwardSteps) {
					wantEnd(t, got, order.Confirmed, "")
				}
			})
		}
	}
}

// lostRun does what the first steps of a run do, without a workflow that would remember them.
func lostRun(t *testing.T, w *world, req order.Request, steps int) {
	t.Helper()
	ctx, a := context.Background(), w.activities()
	var lines []order.Line
	var row order.Order
	do := []func() error{
		func() (err error) { lines, err = a.Catalog.PriceItems(ctx, req.Items); return err },
		func() (err error) {
			total, err := order.Total(lines)
			if err != nil {
				return err
			}
			row, err = a.Orders.Create(ctx, order.Order{ID: req.ID, UserID: req.UserID, Status: order.Pending,
				Items: lines, Total: total, PaymentMethod: req.PaymentMethod, Hash: req.Hash})
			return err
		},
		func() error { return a.Catalog.Reserve(ctx, req.ID, req.Items, time.Now().Add(time.Hour)) },
		func() error { _, err := a.Payments.Charge(ctx, row.Payment()); return err },
		func() error { return a.Catalog.Commit(ctx, req.ID) },
		func() error { _, err := a.Orders.Confirm(ctx, req.ID, "pi", nil); return err },
	}
	for i, step := range do[:steps] {
		if err := step(); err != nil {
			t.Fatalf("%s: %v", forwardSteps[i], err)
		}
	}
}

func TestInterruptedOrderIsBroughtToItsEnd(t *testing.T) {
	t.Parallel()
	for done := range len(forwardSteps) + 1 {
		last := "nothing"
		if done > 0 {
			last = forwardSteps[done-1]
		}
		t.Run("after "+last, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			lostRun(t, w, request(visa), done)
			got := runIn(t, newEnv(t, w), w, workflows.RecoverOrder, request(visa))
			if done == len(forwardSteps) {
				wantEnd(t, got, order.Confirmed, "")
			} else {
				wantEnd(t, got, order.Failed, order.Interrupted)
			}
			again := runIn(t, newEnv(t, w), w, workflows.RecoverOrder, request(visa))
			if again.Status != got.Status || again.Reason() != got.Reason() {
				t.Errorf("recovered again, the order ended %s %s", again.Status, again.Reason())
			}
		})
	}
}

func TestOutcomeIsToldBeforeTheUndosAndTheEvent(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]order.Order{
		visa:  {Status: order.Confirmed},
		broke: {Status: order.Pending, Closing: true},
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			for _, step := range []string{"RefundPayment", "PublishEvent"} {
				w.breakNext(step, 3, fault{before: errBroken})
			}
			env := newEnv(t, w)
			var told *order.Order
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(workflows.UpdateOutcome, "outcome", &testsuite.TestUpdateCallback{
					OnAccept: func() {}, OnReject: func(err error) { t.Error(err) },
					OnComplete: func(result any, err error) {
						if err != nil {
							t.Error(err)
							return
						}
						o := result.(order.Order)
						told = &o
					},
				})
			}, 0)
			runIn(t, env, w, workflows.CreateOrder, request(method))
			if told == nil {
				t.Fatal("nobody was told")
			}
			if told.Status != want.Status || told.Closing != want.Closing {
				t.Errorf("told %s closing=%t, want %s closing=%t", told.Status, told.Closing, want.Status, want.Closing)
			}
		})
	}
}

func TestCancelUpdateUndoesTheOrderUnlessItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 3, fault{before: errBroken})
	env := newEnv(t, w)
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

func TestCancelUpdateWithoutWhoIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 3, fault{before: errBroken})
	env := newEnv(t, w)
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

func TestWorkflowThatIsNoOrderFailsBeforeAnythingHappens(t *testing.T) {
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
			env := newEnv(t, w)
			env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: tt.id, TaskQueue: "orders"})
			env.ExecuteWorkflow(workflows.CreateOrder, tt.req)
			if env.GetWorkflowError() == nil || len(w.calls) != 0 {
				t.Errorf("error %v, calls %v", env.GetWorkflowError(), w.calls)
			}
		})
	}
}

func TestOrderThatIsFirstRunAfterItsDeadlineIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := newEnv(t, w)
	env.SetStartTime(time.Now().Add(-time.Hour)) // the world's clock is the real one: nothing may be held any more
	w.onCall = func(op string) {
		if op == "PriceItems" && w.calls[op] == 0 {
			w.breakNext(op, 1, fault{before: errBroken})
			env.RegisterDelayedCallback(func() {}, workflows.Deadline)
		}
	}
	w.breakNext("CreateOrder", 1, fault{before: errBroken})
	got := runIn(t, env, w, workflows.CreateOrder, request(visa))
	if got.Status == order.Confirmed {
		t.Error("the order was confirmed an hour after it was placed")
	}
}

func TestOperatorsActionsAreInTheTimeline(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]string{"before the end is recorded": "RefundPayment", "after it": "PublishEvent"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.breakNext(step, 12, fault{before: errBroken})
			env := newEnv(t, w)
			env.RegisterDelayedCallback(func() {
				env.SignalWorkflow(saga.SignalRetry, saga.Order{Operator: "alice", Reason: "it is back"})
			}, time.Minute)
			runIn(t, env, w, workflows.CreateOrder, request(broke))
			records, err := w.Memory.Timeline(t.Context(), orderID)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range records {
				found = found || r.Type == order.RecordOperator && r.Detail == "retry by alice: it is back"
			}
			if !found {
				t.Errorf("timeline %+v", records)
			}
		})
	}
}

func TestCustomerDoesNotReadTheOperatorsWords(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.breakNext("ChargePayment", 100, fault{before: errBroken})
	env := newEnv(t, w)
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow(saga.SignalCompensate, saga.Order{Operator: "alice", Reason: "suspected fraud"})
	}, time.Minute)
	got := runIn(t, env, w, workflows.CreateOrder, request(visa))
	wantEnd(t, got, order.Cancelled, order.CancelledByOperator)
	if strings.Contains(got.Cause.Message, "fraud") {
		t.Errorf("the customer is told %q", got.Cause.Message)
	}
}
