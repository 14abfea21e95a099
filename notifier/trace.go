package notifier

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

var w3c propagation.TraceContext

// traceparent returns the trace context of an event, as the outbox keeps it.
func traceparent(sc trace.SpanContext) string {
	fields := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), fields)
	return fields["traceparent"]
}

// traceAttempt begins the span of an attempt to deliver, in the trace of the event: its publisher may be another process, and
// the one that recorded the event may have been killed.
func traceAttempt(ctx context.Context, d *claimed) (context.Context, func(error)) {
	ctx = w3c.Extract(ctx, propagation.MapCarrier{"traceparent": d.Traceparent})
	ctx = telemetry.WithLasting(ctx, trace.SpanContextFromContext(ctx))
	ctx, span := otel.Tracer("notifier").Start(ctx, "deliver "+string(d.Channel), trace.WithAttributes(
		attribute.String("order.id", string(d.OrderID)), attribute.String("messaging.message.id", d.MessageID),
		attribute.Int("attempt", d.Attempt)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "not delivered") // the error may hold an address
		}
		span.End()
	}
}
