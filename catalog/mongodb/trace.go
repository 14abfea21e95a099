package mongodb

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced returns a monitor that gives each command a span below the open one. (OpenTelemetry has no instrumentation for this
// version of the driver.) Commands without an open span, such as the sweeper's, get none.
func traced() *event.CommandMonitor {
	tracer := otel.Tracer("mongodb")
	var open sync.Map // from the command's connection and number to its span
	type command struct {
		connection string
		number     int64
	}
	end := func(connection string, number int64, err error) {
		found, ok := open.LoadAndDelete(command{connection, number})
		if !ok {
			return
		}
		span := found.(trace.Span)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
	return &event.CommandMonitor{
		Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			if !trace.SpanFromContext(ctx).IsRecording() {
				return
			}
			name := e.CommandName
			attributes := []attribute.KeyValue{
				attribute.String("db.system.name", "mongodb"), attribute.String("db.operation.name", name),
			}
			if collection, ok := e.Command.Lookup(e.CommandName).StringValueOK(); ok {
				name += " " + collection
				attributes = append(attributes, attribute.String("db.collection.name", collection))
			}
			_, span := tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
			open.Store(command{e.ConnectionID, e.RequestID}, span)
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { end(e.ConnectionID, e.RequestID, nil) },
		Failed:    func(_ context.Context, e *event.CommandFailedEvent) { end(e.ConnectionID, e.RequestID, e.Failure) },
	}
}
