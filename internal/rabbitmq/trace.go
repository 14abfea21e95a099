package rabbitmq

import (
	"context"
	"crypto/rand"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// w3c carries the W3C trace context in the headers traceparent and tracestate.
var w3c propagation.TraceContext

// inject adds the trace context of ctx to the message. If there is none, it starts the order's own trace, so that
// everything said about an order belongs to one trace.
func inject(ctx context.Context, message *amqp.Publishing) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, orderTrace(message.CorrelationId))
	}
	found := propagation.MapCarrier{}
	w3c.Inject(ctx, found)
	message.Headers = amqp.Table{}
	for name, value := range found {
		message.Headers[name] = value
	}
}

// orderTrace returns the root of an order's trace: the order's ID and a trace's are both 16 bytes. It is not marked as
// sampled, because no span was recorded.
func orderTrace(orderID string) trace.SpanContext {
	traceID, err := trace.TraceIDFromHex(strings.ReplaceAll(orderID, "-", ""))
	if err != nil {
		return trace.SpanContext{} // not a UUID: the message goes without a trace
	}
	var spanID trace.SpanID
	_, _ = rand.Read(spanID[:]) // never fails
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID})
}

// traceOf returns the trace context in the headers.
func traceOf(headers amqp.Table) trace.SpanContext {
	found := propagation.MapCarrier{}
	for _, name := range w3c.Fields() {
		if value, ok := headers[name].(string); ok {
			found[name] = value
		}
	}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), found))
}
