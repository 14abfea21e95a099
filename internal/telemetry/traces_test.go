package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	metrics "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// recorded makes the process's spans go to the returned exporter. Tests that use it cannot run in parallel.
func recorded(t *testing.T) *tracetest.InMemoryExporter {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(&together{SpanProcessor: sdk.NewSimpleSpanProcessor(discreet{spans})}), sdk.WithIDGenerator(ids{}))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagator{})
	t.Cleanup(func() {
		otel.SetTracerProvider(noop.NewTracerProvider())
	})
	return spans
}

func TestAMarkIsTheSameWhoeverRecordsIt(t *testing.T) {
	spans := recorded(t)
	at := time.Now()
	first := Mark(trace.SpanContext{}, "run", "CreateOrder", at, at)
	again := Mark(trace.SpanContext{}, "run", "CreateOrder", at, at)
	if !first.IsValid() || first.TraceID() != again.TraceID() || first.SpanID() != again.SpanID() {
		t.Errorf("%v and %v", first, again)
	}
	step := Mark(first, "run1", "schedule ChargePayment", at, at)
	if step.TraceID() != first.TraceID() || step.SpanID() == first.SpanID() {
		t.Errorf("the step's mark %v in the trace of %v", step, first)
	}
	if got := spans.GetSpans(); len(got) != 3 || got[2].Parent.SpanID() != first.SpanID() || !got[2].EndTime.Equal(at) {
		t.Errorf("recorded: %v", got)
	}
}

func TestOtherProcessesAreToldTheMarkAndNotTheAttempt(t *testing.T) {
	spans := recorded(t)
	mark := Mark(trace.SpanContext{}, "run", "CreateOrder", time.Now(), time.Now())
	var told string
	reader := metrics.NewManualReader()
	otel.SetMeterProvider(metrics.NewMeterProvider(metrics.WithReader(reader)))
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Get("traceparent") }))
	defer server.Close()
	ctx, attempt := otel.Tracer("test").Start(WithLasting(trace.ContextWithSpanContext(t.Context(), mark), mark), "attempt")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/secret?token=sesame", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: Transport("catalog", http.DefaultTransport)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	attempt.End()
	if want := "00-" + mark.TraceID().String() + "-" + mark.SpanID().String() + "-01"; told != want {
		t.Errorf("told %q, want %q", told, want)
	}
	var measured metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &measured); err != nil || !strings.Contains(fmt.Sprint(measured), "peer.service") {
		t.Errorf("the metrics do not name the service: %v, %v", measured, err)
	}
	call := spans.GetSpans()[1]
	if call.Parent.SpanID() != attempt.SpanContext().SpanID() || call.Name != "GET catalog" {
		t.Errorf("the call's span: %s below %s", call.Name, call.Parent.SpanID())
	}
	for _, a := range call.Attributes {
		if a.Key == "url.full" && a.Value.AsString() != server.URL {
			t.Errorf("the span shows the URL %s", a.Value.AsString())
		}
	}
}

func TestWhatBelongsToAnAttemptIsSentTogether(t *testing.T) {
	spans := recorded(t)
	ctx, attempt := otel.Tracer("test").Start(t.Context(), "attempt")
	inner, call := otel.Tracer("test").Start(ctx, "call")
	_, query := otel.Tracer("test").Start(inner, "query")
	_, late := otel.Tracer("test").Start(inner, "late")
	query.End()
	call.End()
	if got := spans.GetSpans(); len(got) != 0 {
		t.Errorf("sent before the attempt has ended: %v", got)
	}
	attempt.End()
	late.End()
	var names []string
	for _, s := range spans.GetSpans() {
		names = append(names, s.Name)
	}
	if want := []string{"query", "call", "attempt", "late"}; !slices.Equal(names, want) {
		t.Errorf("sent %v, want %v", names, want)
	}
}

func TestPrivateAttributesDoNotLeaveTheProcess(t *testing.T) {
	spans := recorded(t)
	handler := Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = "/orders" }))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders?userId=42", nil)
	req.Header.Set("User-Agent", "my phone")
	req.Header.Set("X-Forwarded-For", "192.0.2.7")
	handler.ServeHTTP(httptest.NewRecorder(), req)
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "GET /orders" {
		t.Fatalf("spans: %v", got)
	}
	for _, a := range got[0].Attributes {
		switch a.Key {
		case "client.address", "network.peer.address", "user_agent.original", "url.query":
			t.Errorf("%s=%s", a.Key, a.Value.String())
		}
	}
}

func TestWithoutTracingAClientsTraceTravelsOn(t *testing.T) {
	otel.SetTracerProvider(noop.NewTracerProvider()) // as before Start
	otel.SetTextMapPropagator(propagator{})
	const sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	in := propagation.MapCarrier{"traceparent": sent, "baggage": "user=42"}
	caller := trace.SpanContextFromContext(otel.GetTextMapPropagator().Extract(context.Background(), in))
	mark := Mark(caller, "run", "CreateOrder", time.Now(), time.Now(), attribute.String("order.id", "1"))
	out := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(trace.ContextWithSpanContext(t.Context(), mark), out)
	if out["traceparent"] != sent || len(out) != 1 {
		t.Errorf("sent on: %v", out)
	}
}
