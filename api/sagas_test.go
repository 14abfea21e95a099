package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
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
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

// fakeTemporal is as much of a Temporal server as this program asks, with answers by script. What a real server does is
// tested on a real one.
type fakeTemporal struct {
	workflowservice.UnimplementedWorkflowServiceServer
	multi    func(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error)
	start    func(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error)
	describe func() (*workflowservice.DescribeWorkflowExecutionResponse, error)
	update   func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error)
	poll     func(context.Context) (*workflowservice.PollWorkflowExecutionUpdateResponse, error)

	mu     sync.Mutex
	starts []*workflowservice.StartWorkflowExecutionRequest // in the sequence in which they came
	asked  []*workflowservice.UpdateWorkflowExecutionRequest
}

func (f *fakeTemporal) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *fakeTemporal) ExecuteMultiOperation(
	ctx context.Context, req *workflowservice.ExecuteMultiOperationRequest,
) (*workflowservice.ExecuteMultiOperationResponse, error) {
	f.mu.Lock()
	f.starts = append(f.starts, req.GetOperations()[0].GetStartWorkflow())
	f.asked = append(f.asked, req.GetOperations()[1].GetUpdateWorkflow())
	f.mu.Unlock()
	return f.multi(ctx)
}

func (f *fakeTemporal) StartWorkflowExecution(
	ctx context.Context, req *workflowservice.StartWorkflowExecutionRequest,
) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	f.starts = append(f.starts, req)
	f.mu.Unlock()
	return f.start(ctx)
}

func (f *fakeTemporal) DescribeWorkflowExecution(context.Context, *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return f.describe()
}

func (f *fakeTemporal) UpdateWorkflowExecution(ctx context.Context, req *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	f.mu.Lock()
	f.asked = append(f.asked, req)
	f.mu.Unlock()
	return f.update(ctx)
}

func (f *fakeTemporal) PollWorkflowExecutionUpdate(ctx context.Context, _ *workflowservice.PollWorkflowExecutionUpdateRequest) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
	return f.poll(ctx)
}

// Answers that the scripts are made of.

func startedAs(started bool) func(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return func(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error) {
		return &workflowservice.StartWorkflowExecutionResponse{RunId: "run", Started: started}, nil
	}
}

func lostStart(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return nil, status.Error(codes.Unavailable, "connection lost")
}

func lostMulti(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	return nil, status.Error(codes.Unavailable, "connection lost")
}

// undecidedMulti is what the server answers when nobody has taken the update within the time of the call.
func undecidedMulti(ctx context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func decidedMulti(t *testing.T, o order.Order, started bool) func(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	t.Helper()
	outcome := outcomeOf(t, o)
	return func(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
		return &workflowservice.ExecuteMultiOperationResponse{Responses: []*workflowservice.ExecuteMultiOperationResponse_Response{
			{Response: &workflowservice.ExecuteMultiOperationResponse_Response_StartWorkflow{
				StartWorkflow: &workflowservice.StartWorkflowExecutionResponse{RunId: "run", Started: started}}},
			{Response: &workflowservice.ExecuteMultiOperationResponse_Response_UpdateWorkflow{
				UpdateWorkflow: &workflowservice.UpdateWorkflowExecutionResponse{
					UpdateRef: reference(), Outcome: outcome, Stage: enums.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED}}},
		}}, nil
	}
}

func reference() *update.UpdateRef {
	return &update.UpdateRef{WorkflowExecution: &common.WorkflowExecution{WorkflowId: "order-x", RunId: "run"}, UpdateId: "u"}
}

func outcomeOf(t *testing.T, o order.Order) *update.Outcome {
	t.Helper()
	return &update.Outcome{Value: &update.Outcome_Success{Success: payloads(t, o)}}
}

func payloads(t *testing.T, v any) *common.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// closedMulti is what the server answers when the workflow has run and is closed.
func closedMulti(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	return nil, serviceerror.NewMultiOperationExecution("closed", []error{
		&serviceerror.WorkflowExecutionAlreadyStarted{Message: "closed"},
		serviceerror.NewMultiOperationAborted("aborted"),
	}).(*serviceerror.MultiOperationExecution).Status().Err()
}

// failedTaskMulti is what the server answers when it started the workflow, and the workflow's first task failed.
func failedTaskMulti(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	return nil, serviceerror.NewMultiOperationExecution("not ready", []error{
		serviceerror.NewMultiOperationAborted("aborted"),
		serviceerror.NewWorkflowNotReady("unexpected workflow task failure"),
	}).(*serviceerror.MultiOperationExecution).Status().Err()
}

func refusedMulti(context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
	return nil, serviceerror.NewNamespaceNotFound("default").(*serviceerror.NamespaceNotFound).Status().Err()
}

// dial returns sagas on the fake, or, without one, on an address where nobody listens.
func dial(t *testing.T, f *fakeTemporal) *temporalSagas {
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
	c, err := temporalclient.Open(temporalclient.Config{Address: listener.Addr().String()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := newTemporalSagas(t.Context(), c, "orders")
	s.reach, s.startWithin = 300*time.Millisecond, 300*time.Millisecond
	return s
}

var request = order.Request{
	ID: keyed, UserID: 42, Items: []order.Item{{ProductID: "mug", Quantity: 2}}, PaymentMethod: "pm_card_visa", Hash: "c0ffee",
}

func TestWhatIsKnownAfterStartingAndWaiting(t *testing.T) {
	t.Parallel()
	confirmed := priced(request)
	confirmed.Status = order.Confirmed
	for name, test := range map[string]struct {
		server  *fakeTemporal
		want    order.Order
		started bool
		err     error
	}{
		"decided, started by us":   {&fakeTemporal{multi: decidedMulti(t, confirmed, true)}, confirmed, true, nil},
		"decided, started before":  {&fakeTemporal{multi: decidedMulti(t, confirmed, false)}, confirmed, false, nil},
		"undecided":                {&fakeTemporal{multi: undecidedMulti, start: startedAs(true)}, order.Order{}, true, errUndecided},
		"undecided, and not ours":  {&fakeTemporal{multi: undecidedMulti, start: startedAs(false)}, order.Order{}, false, errUndecided},
		"answer lost, start found": {&fakeTemporal{multi: lostMulti, start: startedAs(true)}, order.Order{}, true, errUndecided},
		"all answers lost":         {&fakeTemporal{multi: lostMulti, start: lostStart}, order.Order{}, false, errUnknown},
		"undecided, then lost":     {&fakeTemporal{multi: undecidedMulti, start: lostStart}, order.Order{}, false, errUnknown},
		"has run and is closed":    {&fakeTemporal{multi: closedMulti}, order.Order{}, false, errUndecided},
		"its first task failed":    {&fakeTemporal{multi: failedTaskMulti, start: startedAs(true)}, order.Order{}, true, errUndecided},
		"refused":                  {&fakeTemporal{multi: refusedMulti}, order.Order{}, false, errUnavailable},
		"nobody there":             {nil, order.Order{}, false, errUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, started, err := dial(t, test.server).StartAndWait(t.Context(), request, 500*time.Millisecond)
			if !errors.Is(err, test.err) || started != test.started {
				t.Errorf("got started %v, %v; want %v, %v", started, err, test.started, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsKnownAfterStarting(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server  *fakeTemporal
		started bool
		err     error
	}{
		"started":        {&fakeTemporal{start: startedAs(true)}, true, nil},
		"running":        {&fakeTemporal{start: startedAs(false)}, false, nil},
		"has run":        {&fakeTemporal{start: hasRun}, false, nil},
		"answer lost":    {&fakeTemporal{start: lostStart}, false, errUnknown},
		"nobody there":   {nil, false, errUnavailable},
		"not allowed to": {&fakeTemporal{start: notAllowed}, false, errUnavailable},
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

func hasRun(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error) {
	s, err := status.New(codes.AlreadyExists, "has run").WithDetails(&errordetails.WorkflowExecutionAlreadyStartedFailure{RunId: "run"})
	if err != nil {
		return nil, err
	}
	return nil, s.Err()
}

func notAllowed(context.Context) (*workflowservice.StartWorkflowExecutionResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "no")
}

// The client hangs up: the order goes on all the same, and the api learns what became of it.
func TestClientThatHangsUpCancelsNothing(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	confirmed := priced(request)
	confirmed.Status = order.Confirmed
	decided := decidedMulti(t, confirmed, true)
	server := &fakeTemporal{multi: func(c context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
		hangUp()
		select {
		case <-c.Done():
			return nil, c.Err()
		case <-time.After(50 * time.Millisecond): // long enough for a cancellation to arrive, if there were one
			return decided(c)
		}
	}}
	if _, _, err := dial(t, server).StartAndWait(ctx, request, 5*time.Second); err != nil {
		t.Errorf("got %v, want the outcome", err)
	}
}

// A program that is asked to stop answers at once what it knows, instead of holding up its end for a minute.
func TestNobodyWaitsWhenTheProgramStops(t *testing.T) {
	t.Parallel()
	running, stop := context.WithCancel(t.Context())
	s := dial(t, &fakeTemporal{start: startedAs(true), multi: func(ctx context.Context) (*workflowservice.ExecuteMultiOperationResponse, error) {
		stop()
		return undecidedMulti(ctx)
	}})
	s.running = running
	if _, fresh, err := s.StartAndWait(t.Context(), request, time.Hour); !errors.Is(err, errUndecided) || !fresh {
		t.Errorf("got started %v, %v; want it started, and undecided", fresh, err)
	}
}

// What is sent is a contract with the workflow, and with the orders that are running.
func TestStartsCarryWhatTheContractSays(t *testing.T) {
	t.Parallel()
	server := &fakeTemporal{multi: lostMulti, start: startedAs(true)}
	if _, _, err := dial(t, server).StartAndWait(t.Context(), request, 500*time.Millisecond); !errors.Is(err, errUndecided) {
		t.Fatal(err)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, s := range server.starts {
		if s.GetRequestId() == "" || s.GetRequestId() != server.starts[0].GetRequestId() {
			t.Errorf("request ID %q: want that of the first start, so that repeating it is still the same start", s.GetRequestId())
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
			"memo":   len(s.GetMemo().GetFields()),
		}
		want := map[string]any{
			"id": "order-" + string(keyed), "type": "CreateOrder", "queue": "orders",
			"task timeout": 5 * time.Second, "other timeout": time.Duration(0),
			"conflict": enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, "reuse": enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			"input":  `{"id":"` + string(keyed) + `","userId":42,"items":[{"productId":"mug","quantity":2}],"paymentMethod":"pm_card_visa","hash":"c0ffee"}`,
			"userId": "42", "hash": `"c0ffee"`, "items": `[{"productId":"mug","quantity":2}]`, "memo": 3,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("start (-want +got):\n%s", diff)
		}
	}
	for _, u := range server.asked {
		if meta, input := u.GetRequest().GetMeta(), u.GetRequest().GetInput(); meta.GetUpdateId() != "outcome" || input.GetName() != "outcome" {
			t.Errorf("update %q under ID %q, want outcome for both", input.GetName(), meta.GetUpdateId())
		}
	}
	if last := server.starts[len(server.starts)-1]; len(server.starts) < 2 || last.GetTaskQueue() == nil {
		t.Errorf("%d starts, want the lost one to be repeated", len(server.starts))
	}
}

func TestDescribeReadsTheMemo(t *testing.T) {
	t.Parallel()
	memo := map[string]*common.Payload{}
	for key, value := range map[string]any{"userId": 42, "hash": "c0ffee", "items": request.Items} {
		memo[key] = payloads(t, value).GetPayloads()[0]
	}
	open := request
	open.PaymentMethod = ""
	for name, test := range map[string]struct {
		answer func() (*workflowservice.DescribeWorkflowExecutionResponse, error)
		want   started
		err    error // order.ErrNotFound, or any other
	}{
		"running":   {described(memo, enums.WORKFLOW_EXECUTION_STATUS_RUNNING), started{Request: open, at: startedAt}, nil},
		"completed": {described(memo, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED), started{Request: open, at: startedAt, closed: true}, nil},
		"unknown": {func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, status.Error(codes.NotFound, "workflow not found")
		}, started{}, order.ErrNotFound},
		"down": {func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return nil, status.Error(codes.PermissionDenied, "no")
		}, started{}, errors.New("any")},
		"somebody else's workflow": {described(nil, enums.WORKFLOW_EXECUTION_STATUS_RUNNING), started{}, errors.New("any")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := dial(t, &fakeTemporal{describe: test.answer}).Describe(t.Context(), keyed)
			if (err == nil) != (test.err == nil) || errors.Is(err, order.ErrNotFound) != errors.Is(test.err, order.ErrNotFound) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(started{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func described(memo map[string]*common.Payload, s enums.WorkflowExecutionStatus) func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return func() (*workflowservice.DescribeWorkflowExecutionResponse, error) {
		return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflow.WorkflowExecutionInfo{
			Memo: &common.Memo{Fields: memo}, Status: s, StartTime: timestamppb.New(startedAt),
		}}, nil
	}
}

func TestWhatIsKnownAfterCancelling(t *testing.T) {
	t.Parallel()
	closing := priced(request)
	closing.Status, closing.Closing = order.Pending, true
	accepted := func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
		return &workflowservice.UpdateWorkflowExecutionResponse{UpdateRef: reference(), Stage: enums.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED}, nil
	}
	never := func(ctx context.Context) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	for name, test := range map[string]struct {
		server *fakeTemporal
		want   order.Order
		err    error
	}{
		"decided": {&fakeTemporal{update: accepted, poll: func(context.Context) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
			return &workflowservice.PollWorkflowExecutionUpdateResponse{Outcome: outcomeOf(t, closing), UpdateRef: reference(), Stage: enums.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED}, nil
		}}, closing, nil},
		"accepted, not decided": {&fakeTemporal{update: accepted, poll: never}, order.Order{}, errUndecided},
		"the workflow is closed": {&fakeTemporal{update: func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
			return nil, status.Error(codes.NotFound, "workflow execution already completed")
		}}, order.Order{}, errClosed},
		"not accepted in time": {&fakeTemporal{update: func(ctx context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}}, order.Order{}, errUnknown},
		"nobody there": {nil, order.Order{}, errUnavailable},
		"not allowed": {&fakeTemporal{update: func(context.Context) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
			return nil, status.Error(codes.PermissionDenied, "no")
		}}, order.Order{}, errUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := dial(t, test.server).Cancel(t.Context(), keyed, workflows.CancelRequest{By: workflows.ByUser}, 500*time.Millisecond)
			if !errors.Is(err, test.err) {
				t.Errorf("got error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
