package temporalclient

import (
	"context"
	"sync/atomic"

	"github.com/google/uuid"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// Trace is what became of a start of a workflow, or of an update, beyond what the call returned. All starts under one trace are one start
// to the server, whichever calls of the client make them: they carry the same request ID, so that a start that is
// repeated because its answer was lost is still answered as the one that started the workflow.
type Trace struct {
	requestID     string
	sent, started atomic.Bool
}

type traceKey struct{}

// WithTrace returns a context for calls that start or update a workflow, and the trace of these calls together.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{requestID: uuid.NewString()}
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
	if t != nil && err == nil && started(reply) {
		t.started.Store(true)
	}
	return err
}

func (t *Trace) identify(req any) {
	switch r := req.(type) {
	case *workflowservice.StartWorkflowExecutionRequest:
		r.RequestId = t.requestID
	case *workflowservice.ExecuteMultiOperationRequest:
		for _, one := range r.GetOperations() {
			if start := one.GetStartWorkflow(); start != nil {
				start.RequestId = t.requestID
			}
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
