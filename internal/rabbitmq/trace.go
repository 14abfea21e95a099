package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// w3c reads the W3C trace context from the headers traceparent and tracestate.
var w3c propagation.TraceContext

func tracer() trace.Tracer { return otel.Tracer("rabbitmq") }

// Attributes of spans, from OpenTelemetry's conventions for messages.
func attributes(id, orderID, destination string) trace.SpanStartEventOption {
	return trace.WithAttributes(
		attribute.String("messaging.system", "rabbitmq"), attribute.String("messaging.destination.name", destination),
		attribute.String("messaging.message.id", id), attribute.String("order.id", orderID),
	)
}

// inject adds the trace context of ctx to the message, if there is one. Consumers in other processes continue that trace.
func inject(ctx context.Context, message *amqp.Publishing) {
	found := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, found)
	message.Headers = amqp.Table{}
	for name, value := range found {
		message.Headers[name] = value
	}
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

// startHandling begins a span for each message of a batch, in the trace of its publisher, and returns what ends them. What the
// handler does for a single message is traced below its span; what it does for several belongs to none of them.
func startHandling(ctx context.Context, batch []Message) (context.Context, func(error)) {
	spans := make([]trace.Span, len(batch))
	for i, m := range batch {
		var of context.Context
		of, spans[i] = tracer().Start(trace.ContextWithRemoteSpanContext(ctx, m.Trace), "process "+m.Type,
			trace.WithSpanKind(trace.SpanKindConsumer), attributes(m.ID, m.CorrelationID, m.Queue))
		if len(batch) == 1 {
			ctx = of
		}
	}
	return ctx, func(err error) {
		for _, span := range spans {
			endSpan(span, err)
		}
	}
}

func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
