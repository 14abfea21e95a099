package rabbitmq

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

func init() { otel.SetTextMapPropagator(w3c) } // as programs do

func TestTheConsumerSeesThePublishersTraceAlsoAfterARetry(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	traceID, err := trace.TraceIDFromHex("4bf92f3577b34da6a3ce929d0e0e4736")
	if err != nil {
		t.Fatal(err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: trace.SpanID{7}, TraceFlags: trace.FlagsSampled})
	seen := make(chan trace.SpanContext, 2)
	startConsumer(t, config, func(_ context.Context, m Message) error {
		seen <- m.Trace
		if m.Attempt == 1 {
			return errors.New("not today")
		}
		return nil
	})
	if err := startPublisher(t, config).Publish(trace.ContextWithSpanContext(t.Context(), span), confirmed(1)); err != nil {
		t.Fatal(err)
	}
	for attempt := range 2 {
		if got := receive(t, "the message", seen); got.TraceID() != traceID || got.SpanID() != span.SpanID() || !got.IsRemote() || !got.IsSampled() {
			t.Errorf("attempt %d has the trace %v, want the publisher's", attempt+1, got)
		}
	}
}

func TestWithoutATraceNoneIsInvented(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	seen := make(chan trace.SpanContext, 1)
	startConsumer(t, config, func(_ context.Context, m Message) error {
		seen <- m.Trace
		return nil
	})
	if err := startPublisher(t, config).Publish(t.Context(), confirmed(1)); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "the message", seen); got.IsValid() {
		t.Errorf("the message has the trace %v, which nobody has begun", got)
	}
}
