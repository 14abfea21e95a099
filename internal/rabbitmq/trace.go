package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
)

// w3c carries the W3C trace context in the headers traceparent and tracestate. Messages without one are as good.
var w3c propagation.TraceContext

// inject adds the trace context of ctx to the message, if there is one.
func inject(ctx context.Context, message *amqp.Publishing) {
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
