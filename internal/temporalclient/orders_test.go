package temporalclient

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/workflows"
)

// fakeTemporal is the part of a Temporal server that these calls need, with responses by script. What a real server does is
// tested on a real one.
type fakeTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	start    func() (*workflowservice.StartWorkflowExecutionResponse, error)
	describe func() (*workflowservice.DescribeWorkflowExecutionResponse, error)
	update   func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error)

	mu     sync.Mutex
	starts []*workflowservice.StartWorkflowExecutionRequest // in the sequence in which they came
	asked  []*workflowservice.UpdateWorkflowExecutionRequest
}

func (f *fakeTemporal) GetSystemInfo(
	context.Context, *workflowservice.GetSystemInfoRequest,
) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *fakeTemporal) StartWorkflowExecution(
	_ context.Context, req *workflowservice.StartWorkflowExecutionRequest,
) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, req)
	return f.start()
}

func (f *fakeTemporal) DescribeWorkflowExecution(
	context.Context, *workflowservice.DescribeWorkflowExecutionRequest,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return f.describe()
}

func (f *fakeTemporal) UpdateWorkflowExecution(
	ctx context.Context, req *workflowservice.UpdateWorkflowExecutionRequest,
) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	f.mu.Lock()
	f.asked = append(f.asked, req)
	f.mu.Unlock()
	return f.update(ctx)
}

// received returns the requests so far. Those that are still being received are not waited for.
func (f *fakeTemporal) received() (
	starts []*workflowservice.StartWorkflowExecutionRequest, updates []*workflowservice.UpdateWorkflowExecutionRequest,
) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts), slices.Clone(f.asked)
}

// The responses to a start that the scripts are made of.

func startedAs(started bool) func() (*workflowservice.StartWorkflowExecutionResponse, error) {
	return func() (*workflowservice.StartWorkflowExecutionResponse, error) {
		return &workflowservice.StartWorkflowExecutionResponse{RunId: "run", Started: started}, nil
	}
}

func startFails(err error) func() (*workflowservice.StartWorkflowExecutionResponse, error) {
	return func() (*workflowservice.StartWorkflowExecutionResponse, error) { return nil, err }
}

var lost = status.Error(codes.Unavailable, "connection lost")

// lostOnce loses the first response. The server knows the repeated start by its request ID.
func lostOnce() func() (*workflowservice.StartWorkflowExecutionResponse, error) {
	attempt := 0
	return func() (*workflowservice.StartWorkflowExecutionResponse, error) {
		if attempt++; attempt == 1 {
			return nil, lost
		}
		return startedAs(true)()
	}
}

func hasRun(t *testing.T) error {
	t.Helper()
	ran := &errordetails.WorkflowExecutionAlreadyStartedFailure{RunId: "run"}
	s, err := status.New(codes.AlreadyExists, "has run").WithDetails(ran)
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

// dial returns the workflows of the fake server or, without one, of an address where no server listens.
func dial(t *testing.T, f *fakeTemporal) *Workflows {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		listener.Close()
	} else {
		server := grpc.NewServer()
		workflowservice.RegisterWorkflowServiceServer(server, f)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		t.Cleanup(func() { server.Stop(); <-served })
	}
	c, err := Open(Config{Address: listener.Addr().String()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := NewWorkflows(c, "orders")
	w.reach, w.startWithin = 300*time.Millisecond, time.Second
	return w
}

const id order.ID = "3f0e8a4b-7c1d-4e2f-9a5b-6c7d8e9f0a1b"

var request = order.Request{
	ID: id, UserID: 42, Items: []order.Item{{ProductID: "mug", Quantity: 2}}, PaymentMethod: "pm_card_visa", Hash: "c0ffee",
	CreatedAt: time.Date(2026, 11, 1, 11, 59, 0, 123456000, time.UTC),
}

func TestStartReportsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	noNamespace := serviceerror.NewNamespaceNotFound("default").(*serviceerror.NamespaceNotFound)
	for name, test := range map[string]struct {
		server  *fakeTemporal
		started bool
		err     error
	}{
		"started":            {&fakeTemporal{start: startedAs(true)}, true, nil},
		"runs already":       {&fakeTemporal{start: startedAs(false)}, false, nil},
		"has run":            {&fakeTemporal{start: startFails(hasRun(t))}, false, nil},
		"response lost once": {&fakeTemporal{start: lostOnce()}, true, nil},
		"all responses lost": {&fakeTemporal{start: startFails(lost)}, false, ErrUnknown},
		"no server":          {nil, false, ErrUnavailable},
		"not allowed":        {&fakeTemporal{start: startFails(status.Error(codes.PermissionDenied, "no"))}, false, ErrUnavailable},
		"no such namespace":  {&fakeTemporal{start: startFails(noNamespace.Status().Err())}, false, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started, err := dial(t, test.server).Start(t.Context(), request)
			if !errors.Is(err, test.err) || started != test.started {
				t.Errorf("got started %v, %v; want %v, %v", started, err, test.started, test.err)
			}
		})
	}
}

func TestStartGoesOnWhenTheClientHangsUp(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if started, err := dial(t, &fakeTemporal{start: startedAs(true)}).Start(ctx, request); err != nil || !started {
		t.Errorf("got started %v, %v; want it started", started, err)
	}
}

// The workflow, and the orders that are running, rely on what is sent.
func TestStartsCarryWhatTheContractSays(t *testing.T) {
	t.Parallel()
	server := &fakeTemporal{start: lostOnce()}
	if _, err := dial(t, server).Start(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	starts, _ := server.received()
	if len(starts) != 2 {
		t.Fatalf("got %d starts, want the lost one to be repeated", len(starts))
	}
	for _, s := range starts {
		if s.GetRequestId() == "" || s.GetRequestId() != starts[0].GetRequestId() {
			t.Errorf("request ID %q: want that of the first start, so that a repeated start is still the same", s.GetRequestId())
		}
		got := map[string]any{
			"id": s.GetWorkflowId(), "type": s.GetWorkflowType().GetName(), "queue": s.GetTaskQueue().GetName(),
			"task timeout":  s.GetWorkflowTaskTimeout().AsDuration(),
			"other timeout": s.GetWorkflowRunTimeout().AsDuration() + s.GetWorkflowExecutionTimeout().AsDuration(),
			"conflict":      s.GetWorkflowIdConflictPolicy(), "reuse": s.GetWorkflowIdReusePolicy(),
			"input":  string(s.GetInput().GetPayloads()[0].GetData()),
			"userId": string(s.GetMemo().GetFields()["userId"].GetData()),
			"hash":   string(s.GetMemo().GetFields()["hash"].GetData()),
			"items":  string(s.GetMemo().GetFields()["items"].GetData()),

			"createdAt": string(s.GetMemo().GetFields()["createdAt"].GetData()), "memo": len(s.GetMemo().GetFields()),
		}
		want := map[string]any{
			"id": "order-" + string(id), "type": "CreateOrder", "queue": "orders",
			"task timeout": 5 * time.Second, "other timeout": time.Duration(0),
			"conflict": enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, "reuse": enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			"input": `{"id":"` + string(id) + `","userId":42,"items":[{"productId":"mug","quantity":2}],` +
				`"paymentMethod":"pm_card_visa","hash":"c0ffee","createdAt":"2026-11-01T11:59:00.123456Z"}`,
			"userId": "42", "hash": `"c0ffee"`, "items": `[{"productId":"mug","quantity":2}]`,
			"createdAt": `"2026-11-01T11:59:00.123456Z"`, "memo": 4,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("start (-want +got):\n%s", diff)
		}
	}
}

func payloads(t *testing.T, v any) *common.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDescribeReadsTheMemo(t *testing.T) {
	t.Parallel()
	memo := map[string]*common.Payload{}
	for key, value := range map[string]any{"userId": 42, "hash": "c0ffee", "items": request.Items, "createdAt": request.CreatedAt} {
		memo[key] = payloads(t, value).GetPayloads()[0]
	}
	open := request
	open.PaymentMethod = ""
	fails := func(err error) func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return func() (*workflowservice.DescribeWorkflowExecutionResponse, error) { return nil, err }
	}
	for name, test := range map[string]struct {
		response func() (*workflowservice.DescribeWorkflowExecutionResponse, error)
		want     Started
		err      error // order.ErrNotFound, or any other
	}{
		"running":            {described(memo, enums.WORKFLOW_EXECUTION_STATUS_RUNNING), Started{Request: open}, nil},
		"completed":          {described(memo, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED), Started{Request: open, Closed: true}, nil},
		"unknown":            {fails(status.Error(codes.NotFound, "workflow not found")), Started{}, order.ErrNotFound},
		"down":               {fails(status.Error(codes.PermissionDenied, "no")), Started{}, errors.New("any")},
		"a foreign workflow": {described(nil, enums.WORKFLOW_EXECUTION_STATUS_RUNNING), Started{}, errors.New("any")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := dial(t, &fakeTemporal{describe: test.response}).Describe(t.Context(), id)
			if (err == nil) != (test.err == nil) || errors.Is(err, order.ErrNotFound) != errors.Is(test.err, order.ErrNotFound) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func described(
	memo map[string]*common.Payload, s enums.WorkflowExecutionStatus,
) func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
			Memo: &common.Memo{Fields: memo}, Status: s,
		}}, nil
	}
}

func TestCancelReportsWhetherItWasAccepted(t *testing.T) {
	t.Parallel()
	responds := func(err error) func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		return func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) { return nil, err }
	}
	accepted := func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		return &workflowservice.UpdateWorkflowExecutionResponse{
			UpdateRef: &update.UpdateRef{WorkflowExecution: &common.WorkflowExecution{WorkflowId: "order-x", RunId: "run"}, UpdateId: "u"},
			Stage:     enums.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED,
		}, nil
	}
	hangs := func(ctx context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	for name, test := range map[string]struct {
		server *fakeTemporal
		err    error
	}{
		"accepted":               {&fakeTemporal{update: accepted}, nil},
		"the workflow is closed": {&fakeTemporal{update: responds(status.Error(codes.NotFound, "workflow execution already completed"))}, ErrClosed},
		"not accepted in time":   {&fakeTemporal{update: hangs}, ErrUnknown},
		"no server":              {nil, ErrUnavailable},
		"not allowed":            {&fakeTemporal{update: responds(status.Error(codes.PermissionDenied, "no"))}, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			err := dial(t, test.server).Cancel(ctx, id, workflows.CancelRequest{By: workflows.ByUser})
			if !errors.Is(err, test.err) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if test.server == nil {
				return
			}
			_, updates := test.server.received()
			for _, u := range updates {
				if meta, input := u.GetRequest().GetMeta(), u.GetRequest().GetInput(); meta.GetUpdateId() != "cancel" || input.GetName() != "cancel" {
					t.Errorf("update %q under ID %q, want cancel for both", input.GetName(), meta.GetUpdateId())
				}
			}
		})
	}
}
