package temporalclient_test

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/servicestest"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// open connects to the real server and returns a task queue of the test's own.
func open(t *testing.T, options ...temporalclient.Option) (c *temporalclient.Client, queue string) {
	t.Helper()
	address, queue := servicestest.Temporal(t)
	c, err := temporalclient.Open(temporalclient.Config{Address: address}, slog.New(slog.DiscardHandler), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, queue
}

func newRequest() order.Request {
	return order.Request{
		ID: order.ID(uuid.NewString()), UserID: 42, Items: []order.Item{{ProductID: "mug", Quantity: 2}},
		PaymentMethod: "pm_card_visa", Hash: "c0ffee",
	}
}

// A payload codec compresses or encrypts every payload. What the door decodes itself has to go through it as well.
func TestAPayloadCodecIsUsedByEveryCall(t *testing.T) {
	t.Parallel()
	compressed := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(),
		converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true}))
	c, queue := open(t, temporalclient.DataConverter(compressed))
	sagas := temporalclient.NewWorkflows(c, queue)
	req := newRequest()
	if started, err := sagas.Start(t.Context(), req); err != nil || !started {
		t.Fatalf("start: %v, %v", started, err)
	}

	// On the server nothing can be read without the codec.
	d, err := c.SDK.DescribeWorkflowExecution(t.Context(), req.ID.WorkflowID(), "")
	if err != nil {
		t.Fatal(err)
	}
	for key, p := range d.GetWorkflowExecutionInfo().GetMemo().GetFields() {
		if got := string(p.GetMetadata()["encoding"]); got != "binary/zlib" {
			t.Errorf("memo %s: encoding %s, want the codec's", key, got)
		}
	}

	memo := req
	memo.PaymentMethod = ""
	s, err := sagas.Describe(t.Context(), req.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(memo, s.Request); diff != "" || s.Closed {
		t.Errorf("described as (-want +got):\n%s\nclosed: %v", diff, s.Closed)
	}
	stored, err := sagas.Request(t.Context(), req.ID)
	if diff := cmp.Diff(req, stored); diff != "" || err != nil {
		t.Errorf("request in the history (-want +got):\n%s\n%v", diff, err)
	}

	// It is terminated; its recovery gets the request through the codec.
	if err := c.SDK.TerminateWorkflow(t.Context(), req.ID.WorkflowID(), "", "test"); err != nil {
		t.Fatal(err)
	}
	if state, err := sagas.State(t.Context(), req.ID); err != nil || state != order.SagaInterrupted {
		t.Errorf("state %s, %v: want it interrupted", state, err)
	}
	if err := sagas.Recover(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	w := worker.New(c.SDK, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(_ workflow.Context, got order.Request) (order.Request, error) { return got, nil },
		workflow.RegisterOptions{Name: workflows.RecoverOrderWorkflow})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var recovered order.Request
	err = c.SDK.GetWorkflow(t.Context(), req.ID.RecoveryID(), "").Get(t.Context(), &recovered)
	if diff := cmp.Diff(req, recovered); diff != "" || err != nil {
		t.Errorf("recovered (-want +got):\n%s\n%v", diff, err)
	}
}

func TestAPaymentEventThatIsSentAgainStartsNothingAgain(t *testing.T) {
	t.Parallel()
	c, queue := open(t)
	sagas := temporalclient.NewWorkflows(c, queue)
	event := order.PaymentEvent{ID: "evt_" + servicestest.Name(""), Type: order.PaymentSucceeded, PaymentID: "pi_1"}
	runs := func() string {
		d, err := c.SDK.DescribeWorkflowExecution(t.Context(), event.WorkflowID(), "")
		if err != nil {
			t.Fatal(err)
		}
		return d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
	}
	if err := sagas.StartPaymentEvent(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	first := runs()
	if err := sagas.StartPaymentEvent(t.Context(), event); err != nil || runs() != first {
		t.Errorf("sent again while it runs: %v, run %s, want %s", err, runs(), first)
	}
	w := worker.New(c.SDK, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(workflow.Context, order.PaymentEvent) error { return nil },
		workflow.RegisterOptions{Name: workflows.StripeEventWorkflow})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if err := c.SDK.GetWorkflow(t.Context(), event.WorkflowID(), first).Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := sagas.StartPaymentEvent(t.Context(), event); err != nil || runs() != first {
		t.Errorf("sent again when it is over: %v, run %s, want %s", err, runs(), first)
	}
}
