package temporalclient

import (
	"context"
	"errors"
	"strconv"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// tracing carries the trace of a request through its workflow into the activities. Temporal's own interceptor for
// OpenTelemetry has a span for the workflow that ends with it and is lost with its worker: everything below it would be
// without a parent after a worker was killed, and for as long as a saga takes. Here a workflow and its steps are marks (see
// package telemetry), and only what an activity does has a span with a duration.
type tracing struct{ interceptor.InterceptorBase }

// header is the field of a workflow's and an activity's header with the trace. Temporal's SDKs use the same name and form.
const header = "_tracer-data"

// Members of the header: the W3C trace context, and when the request arrived that the workflow is for.
const (
	traceparent = "traceparent"
	requestedAt = "requestedAt"
)

// origin is where a workflow or an activity comes from.
type origin struct {
	parent      oteltrace.SpanContext
	requestedAt time.Time // zero if no request has started the workflow
}

var w3c propagation.TraceContext

func (o origin) write(into map[string]*commonpb.Payload) {
	fields := propagation.MapCarrier{}
	w3c.Inject(oteltrace.ContextWithSpanContext(context.Background(), o.parent), fields)
	if !o.requestedAt.IsZero() {
		fields[requestedAt] = o.requestedAt.UTC().Format(time.RFC3339Nano)
	}
	if len(fields) == 0 {
		return
	}
	if payload, err := converter.GetDefaultDataConverter().ToPayload(fields); err == nil { // a map of strings: it cannot fail
		into[header] = payload
	}
}

// read returns the zero origin when there is none, or one that others have written in a way that we do not understand.
func read(from map[string]*commonpb.Payload) (o origin) {
	fields := propagation.MapCarrier{}
	if payload := from[header]; payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &fields) != nil {
		return o
	}
	o.parent = oteltrace.SpanContextFromContext(w3c.Extract(context.Background(), fields))
	o.requestedAt, _ = time.Parse(time.RFC3339Nano, fields[requestedAt])
	return o
}

func tracer() oteltrace.Tracer { return otel.Tracer("temporal") }

// InterceptClient sees what programs do to workflows.
func (*tracing) InterceptClient(next interceptor.ClientOutboundInterceptor) interceptor.ClientOutboundInterceptor {
	return &tracedClient{interceptor.ClientOutboundInterceptorBase{Next: next}}
}

type tracedClient struct {
	interceptor.ClientOutboundInterceptorBase
}

// ExecuteWorkflow gives the workflow the client of the request as its parent, rather than the request: the order outlives the
// request, and even the process that took it.
func (c *tracedClient) ExecuteWorkflow(
	ctx context.Context, in *interceptor.ClientExecuteWorkflowInput,
) (client.WorkflowRun, error) {
	request := telemetry.RequestOf(ctx)
	o := origin{parent: request.Caller, requestedAt: request.At}
	if !o.parent.IsValid() {
		o.parent = telemetry.Lasting(ctx)
	}
	o.write(interceptor.Header(ctx))
	ctx, span := tracer().Start(ctx, "start "+in.WorkflowType,
		oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithAttributes(aboutOf(in.Options.ID)...))
	run, err := c.Next.ExecuteWorkflow(ctx, in)
	end(span, err)
	return run, err
}

func (c *tracedClient) UpdateWorkflow(
	ctx context.Context, in *interceptor.ClientUpdateWorkflowInput,
) (client.WorkflowUpdateHandle, error) {
	ctx, span := tracer().Start(ctx, "update "+in.UpdateName,
		oteltrace.WithSpanKind(oteltrace.SpanKindClient), oteltrace.WithAttributes(aboutOf(in.WorkflowID)...))
	handle, err := c.Next.UpdateWorkflow(ctx, in)
	end(span, err)
	return handle, err
}

// end ends a span with the outcome err. A final no of the business is not an error.
func end(span oteltrace.Span, err error) {
	var app *temporal.ApplicationError
	switch {
	case err == nil:
	case errors.As(err, &app) && app.Category() == temporal.ApplicationErrorCategoryBenign:
		span.SetAttributes(attribute.String("refused", app.Type()))
	default:
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// aboutOf returns the attributes of a workflow: its ID and, if it is about an order, the order's.
func aboutOf(workflowID string) []attribute.KeyValue {
	attributes := []attribute.KeyValue{attribute.String("temporal.workflow.id", workflowID)}
	if id, ok := orderOf(workflowID); ok {
		attributes = append(attributes, attribute.String("order.id", string(id)))
	}
	return attributes
}

// InterceptWorkflow sees a workflow each time that a worker takes it up: at its start, and when another worker continues it.
func (*tracing) InterceptWorkflow(
	_ workflow.Context, next interceptor.WorkflowInboundInterceptor,
) interceptor.WorkflowInboundInterceptor {
	return &tracedWorkflow{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type tracedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	origin origin // the parent is the workflow's mark
}

func (w *tracedWorkflow) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return w.Next.Init(&tracedSteps{WorkflowOutboundInterceptorBase: interceptor.WorkflowOutboundInterceptorBase{Next: out}, of: w})
}

// ExecuteWorkflow marks the workflow, from its start to when a worker first took it up.
func (w *tracedWorkflow) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	info := workflow.GetInfo(ctx)
	w.origin = read(interceptor.WorkflowHeader(ctx))
	w.origin.parent = telemetry.Mark(w.origin.parent, info.WorkflowExecution.RunID, info.WorkflowType.Name,
		info.WorkflowStartTime, workflow.Now(ctx), aboutOf(info.WorkflowExecution.ID)...)
	return w.Next.ExecuteWorkflow(ctx, in)
}

// tracedSteps marks each activity that a workflow schedules. The n-th one is the same in every replay.
type tracedSteps struct {
	interceptor.WorkflowOutboundInterceptorBase
	of        *tracedWorkflow
	scheduled int
	last      *commonpb.Payload // of the workflow's own origin: what every step gets while nothing is traced
}

func (s *tracedSteps) mark(ctx workflow.Context, activityType string) {
	info := workflow.GetInfo(ctx)
	s.scheduled++
	o := s.of.origin
	now := workflow.Now(ctx)
	o.parent = telemetry.Mark(o.parent, info.WorkflowExecution.RunID+strconv.Itoa(s.scheduled), "schedule "+activityType, now, now)
	into := interceptor.WorkflowHeader(ctx)
	if s.last != nil && o.parent.Equal(s.of.origin.parent) {
		into[header] = s.last
		return
	}
	o.write(into)
	if o.parent.Equal(s.of.origin.parent) {
		s.last = into[header]
	}
}

func (s *tracedSteps) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	s.mark(ctx, activityType)
	return s.Next.ExecuteActivity(ctx, activityType, args...)
}

func (s *tracedSteps) ExecuteLocalActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	s.mark(ctx, activityType)
	return s.Next.ExecuteLocalActivity(ctx, activityType, args...)
}

func (s *tracedSteps) GetLogger(ctx workflow.Context) sdklog.Logger {
	return sdklog.With(s.Next.GetLogger(ctx), telemetry.SpanAttrs(s.of.origin.parent)...)
}

// InterceptActivity gives each attempt a span below the mark of its step.
func (*tracing) InterceptActivity(
	_ context.Context, next interceptor.ActivityInboundInterceptor,
) interceptor.ActivityInboundInterceptor {
	return &tracedActivity{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type tracedActivity struct {
	interceptor.ActivityInboundInterceptorBase
}

func (a *tracedActivity) Init(out interceptor.ActivityOutboundInterceptor) error {
	return a.Next.Init(&tracedLogs{interceptor.ActivityOutboundInterceptorBase{Next: out}})
}

func (a *tracedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	o := read(interceptor.Header(ctx))
	ctx = telemetry.WithRequest(ctx, telemetry.Request{At: o.requestedAt})
	ctx = telemetry.WithLasting(oteltrace.ContextWithRemoteSpanContext(ctx, o.parent), o.parent)
	ctx, span := tracer().Start(ctx, info.ActivityType.Name)
	if span.IsRecording() {
		span.SetAttributes(aboutOf(info.WorkflowExecution.ID)...)
		span.SetAttributes(attribute.Int("attempt", int(info.Attempt)), attribute.Bool("local", info.IsLocalActivity))
	}
	result, err := a.Next.ExecuteActivity(ctx, in)
	end(span, err)
	return result, err
}

// tracedLogs adds the trace to the log lines of activities.
type tracedLogs struct {
	interceptor.ActivityOutboundInterceptorBase
}

func (l *tracedLogs) GetLogger(ctx context.Context) sdklog.Logger {
	return sdklog.With(l.Next.GetLogger(ctx), telemetry.TraceAttrs(ctx)...)
}
