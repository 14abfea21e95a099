package temporalclient

import (
	"context"
	"sync/atomic"

	"github.com/google/uuid"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// trace is what became of a start of a workflow, or of an update, beyond what the call returned. All starts under one trace
// carry the same request ID. One that the SDK repeats because its response was lost is therefore still the start that
// started the workflow.
type trace struct {
	requestID string
	sent      atomic.Bool // a start or update may have reached the server; until then, nothing can have happened
	started   atomic.Bool // the server said that a call started the workflow, rather than that it was running already
}

type traceKey struct{}

// withTrace returns a context for calls that start or update a workflow, and the trace of these calls together.
func withTrace(ctx context.Context) (context.Context, *trace) {
	t := &trace{requestID: uuid.NewString()}
	return context.WithValue(ctx, traceKey{}, t), t
}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

// sentHandler marks the trace when a request is written to a connection. gRPC makes the attempt's context by TagRPC, which
// is where other calls of the client (it asks for the server's version first) lose the trace.
type sentHandler struct{}

func (sentHandler) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	switch info.FullMethodName {
	case workflowservice.WorkflowService_StartWorkflowExecution_FullMethodName,
		workflowservice.WorkflowService_UpdateWorkflowExecution_FullMethodName:
		return ctx
	default:
		return context.WithValue(ctx, traceKey{}, (*trace)(nil))
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

// noteStart gives starts the trace's request ID, and reads from the server's response whether the workflow was started.
// The SDK does not tell.
func noteStart(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	t := traceOf(ctx)
	if start, ok := req.(*workflowservice.StartWorkflowExecutionRequest); ok && t != nil {
		start.RequestId = t.requestID
	}
	err := invoke(ctx, method, req, reply, cc, opts...)
	if t == nil || err != nil {
		return err
	}
	if response, ok := reply.(*workflowservice.StartWorkflowExecutionResponse); ok && response.GetStarted() {
		t.started.Store(true)
	}
	return nil
}
