package rabbitmq

import (
	"context"
	"crypto/rand"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ordersaga/ordersaga/internal/order"
)

// w3c carries the W3C trace context in the headers traceparent and tracestate.
var w3c propagation.TraceContext

// inject adds the trace context of ctx to the message. Without one a trace begins here, as the specification has it for
// whoever gets none: the order's, so that all that is said about an order belongs to one trace.
func inject(ctx context.Context, id order.ID, message *amqp.Publishing) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, beginTrace(id))
	}
	found := carrier{}
	w3c.Inject(ctx, found)
	if len(found) == 0 {
		return
	}
	if message.Headers == nil {
		message.Headers = amqp.Table{}
	}
	for name, value := range found {
		message.Headers[name] = value
	}
}

// beginTrace returns the beginning of an order's trace: an order's ID and a trace's are both 16 bytes. It is not marked as
// sampled, because nothing here has recorded a span.
func beginTrace(id order.ID) trace.SpanContext {
	traceID, err := trace.TraceIDFromHex(strings.ReplaceAll(string(id), "-", ""))
	if err != nil {
		return trace.SpanContext{} // no UUID: the message goes without a trace
	}
	var spanID trace.SpanID
	_, _ = rand.Read(spanID[:]) // never fails
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID})
}

// extract returns ctx with the trace context that the headers carry, so that what a handler does belongs to the trace
// of what caused the message.
func extract(ctx context.Context, headers amqp.Table) context.Context {
	return w3c.Extract(ctx, carrier(headers))
}

// carrier lets headers carry a trace context.
type carrier amqp.Table

func (c carrier) Get(name string) string {
	value, _ := c[name].(string)
	return value
}

func (c carrier) Set(name, value string) { c[name] = value }

func (c carrier) Keys() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	return names
}
