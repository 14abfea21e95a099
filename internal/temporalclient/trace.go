package temporalclient

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// Trace is what became of a start of a workflow, or of an update, beyond what the call returned. All starts under one
// trace are one start to the server, whichever calls of the client make them: they carry the same request ID, so that a
// start that is repeated because its answer was lost is still answered as the one that started the workflow.
//
// With one exception. An update-with-start whose workflow was started and has ended, but whose update was lost on the
// way, is answered by the server "not started, try again", for as long as it is repeated with the same request ID: to the
// server it is the start that succeeded, which has nothing to update. So it is repeated with another ID, which is
// answered by the one that did start the workflow.
type Trace struct {
	mu            sync.Mutex
	requestIDs    []string // the last one is used for update-with-start, the first for anything else
	sent, started atomic.Bool
}

type traceKey struct{}

// WithTrace returns a context for calls that start or update a workflow, and the trace of these calls together.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{requestIDs: []string{uuid.NewString()}}
	return context.WithValue(ctx, traceKey{}, t), t
}

// Sent reports whether a start or update may have reached the server. While it is false, nothing can have happened.
func (t *Trace) Sent() bool { return t.sent.Load() }

// Started reports whether the server answered that a call of this trace started the workflow, rather than that it was
// running already.
func (t *Trace) Started() bool { return t.started.Load() }

func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// sentHandler marks the trace when a request is written to a connection. gRPC makes the attempt's context by TagRPC, which
// is where other calls of the client (it asks for the server's version first) lose the trace.
type sentHandler struct{}

func (sentHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	switch info.FullMethodName {
	case workflowservice.WorkflowService_StartWorkflowExecution_FullMethodName,
		workflowservice.WorkflowService_ExecuteMultiOperation_FullMethodName,
		workflowservice.WorkflowService_UpdateWorkflowExecution_FullMethodName:
		return ctx
	default:
		return context.WithValue(ctx, traceKey{}, (*Trace)(nil))
	}
}

func (sentHandler) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutHeader); ok {
		if t := traceOf(ctx); t != nil {
			t.sent.Store(true)
		}
	}
}

func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (sentHandler) HandleConn(context.Context, stats.ConnStats)                       {}

// noteStart gives starts the trace's request ID, and looks into the server's answers, of which the SDK does not show
// whether a workflow was started.
func noteStart(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	t := traceOf(ctx)
	if t != nil {
		t.identify(req)
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	switch {
	case t == nil:
	case err == nil && started(reply):
		t.started.Store(true)
	case err != nil:
		t.learn(err)
	}
	return err
}

func (t *Trace) identify(req any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch r := req.(type) {
	case *workflowservice.StartWorkflowExecutionRequest:
		r.RequestId = t.requestIDs[0]
	case *workflowservice.ExecuteMultiOperationRequest:
		for _, one := range r.GetOperations() {
			if start := one.GetStartWorkflow(); start != nil {
				start.RequestId = t.requestIDs[len(t.requestIDs)-1]
			}
		}
	}
}

// learn looks into the answer to an update-with-start that failed.
func (t *Trace) learn(err error) {
	multi, ok := serviceerror.FromStatus(status.Convert(err)).(*serviceerror.MultiOperationExecution)
	if !ok || len(multi.OperationErrors()) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := multi.OperationErrors()[0].(type) { // that of the start
	case *serviceerror.Unavailable:
		t.requestIDs = append(t.requestIDs, uuid.NewString())
	case *serviceerror.WorkflowExecutionAlreadyStarted:
		if slices.Contains(t.requestIDs, e.StartRequestId) {
			t.started.Store(true)
		}
	}
}

func started(reply any) bool {
	switch r := reply.(type) {
	case *workflowservice.StartWorkflowExecutionResponse:
		return r.GetStarted()
	case *workflowservice.ExecuteMultiOperationResponse:
		for _, one := range r.GetResponses() {
			if one.GetStartWorkflow().GetStarted() {
				return true
			}
		}
	}
	return false
}
