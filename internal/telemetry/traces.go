package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// sendEvery is how long an ended span waits for others to be sent with. A process that is killed loses that much.
const sendEvery = time.Second

func newTracers(ctx context.Context, who *resource.Resource, _ Config) (*sdk.TracerProvider, error) {
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: send traces: %w", err)
	}
	var batch []sdk.BatchSpanProcessorOption
	if os.Getenv("OTEL_BSP_SCHEDULE_DELAY") == "" {
		batch = append(batch, sdk.WithBatchTimeout(sendEvery))
	}
	return sdk.NewTracerProvider(sdk.WithResource(who), sdk.WithIDGenerator(ids{}),
		sdk.WithSpanProcessor(&together{SpanProcessor: sdk.NewBatchSpanProcessor(discreet{spans}, batch...)})), nil
}

// TraceAttrs returns what a log line says about the trace of ctx: trace_id, or nothing without one.
func TraceAttrs(ctx context.Context) []any { return SpanAttrs(trace.SpanContextFromContext(ctx)) }

// SpanAttrs is TraceAttrs for a span.
func SpanAttrs(sc trace.SpanContext) []any {
	if !sc.HasTraceID() {
		return nil
	}
	return []any{"trace_id", sc.TraceID().String()}
}

type (
	lastingKey struct{}
	markKey    struct{}
)

// WithLasting returns a context whose calls to other processes name sc as their parent, whatever span is open meanwhile.
func WithLasting(ctx context.Context, sc trace.SpanContext) context.Context {
	return context.WithValue(ctx, lastingKey{}, sc)
}

// Lasting returns what other processes should take as the parent of what they do for ctx: the span that WithLasting has set,
// otherwise the open one.
func Lasting(ctx context.Context) trace.SpanContext {
	if sc, ok := ctx.Value(lastingKey{}).(trace.SpanContext); ok && sc.IsValid() {
		return sc
	}
	return trace.SpanContextFromContext(ctx)
}

// propagator carries the W3C trace context of Lasting. It carries no baggage: what a client sends goes no further.
type propagator struct{ propagation.TraceContext }

func (p propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.TraceContext.Inject(trace.ContextWithSpanContext(ctx, Lasting(ctx)), carrier)
}

// Mark records that something happened, as a span whose ID follows from key, and returns its context. The same key gives the
// same span, so that a process can record again what another one may have failed to send. Without a parent it begins a trace.
func Mark(
	parent trace.SpanContext, key, name string, from, to time.Time, attributes ...attribute.KeyValue,
) trace.SpanContext {
	ctx := trace.ContextWithRemoteSpanContext(context.WithValue(context.Background(), markKey{}, key), parent)
	_, span := otel.Tracer("saga").Start(ctx, name, trace.WithTimestamp(from), trace.WithAttributes(attributes...))
	span.End(trace.WithTimestamp(to))
	return span.SpanContext()
}

// ids are random, except those of marks.
type ids struct{}

func (g ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	var id trace.TraceID
	if key, ok := ctx.Value(markKey{}).(string); ok {
		sum := sha256.Sum256([]byte(key))
		copy(id[:], sum[8:])
	} else {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64()|1) // never zero
	}
	return id, g.NewSpanID(ctx, id)
}

func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	var id trace.SpanID
	if key, ok := ctx.Value(markKey{}).(string); ok {
		sum := sha256.Sum256([]byte(key))
		copy(id[:], sum[:])
	} else {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64()|1)
	}
	return id
}
