package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// exposed returns the meters of a program, and a function that reads its metrics.
func exposed(t *testing.T) (metric.MeterProvider, func() string) {
	t.Helper()
	meters, handler, err := newMeters(t.Context(), resource.Empty(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	return meters, func() string {
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		return res.Body.String()
	}
}

func TestMetricsOfTemporalHaveTheirTypesUnitsAndWords(t *testing.T) {
	t.Parallel()
	meters, read := exposed(t)
	sdk := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meters.Meter(TemporalMeter), UseMonotonicCounters: true})
	sdk.Counter("temporal_workflow_completed").Inc(1)
	sdk.Timer("temporal_request_latency").Record(20e6) // 20 ms
	sdk.Counter("saga_needs_attention").Inc(1)
	text := read()
	for _, line := range []string{
		"# HELP temporal_workflow_completed_total Temporal's Go SDK: workflow completed",
		"# TYPE temporal_workflow_completed_total counter",
		"temporal_workflow_completed_total 1",
		`temporal_request_latency_seconds_bucket{le="0.01"} 0`,
		`temporal_request_latency_seconds_bucket{le="0.025"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	if strings.Contains(text, "saga_needs_attention") {
		t.Error("the library's counter is shown beside the gauge")
	}
}

// A stranger who may choose a label makes as many series as they like.
func TestMetricsOfHTTPHaveNoLabelThatAClientChooses(t *testing.T) {
	t.Parallel()
	meters, read := exposed(t)
	h, err := meters.Meter("x").Float64Histogram("http.server.request.duration", metric.WithUnit("s"), metric.WithDescription("d"))
	if err != nil {
		t.Fatal(err)
	}
	h.Record(t.Context(), 0.2, metric.WithAttributes(attribute.String("server.address", "evil.example"),
		attribute.String("http.route", "/orders"), attribute.String("http.request.method", "GET")))
	if text := read(); strings.Contains(text, "evil") || !strings.Contains(text,
		`http_server_request_duration_seconds_count{http_request_method="GET",http_route="/orders"} 1`) {
		t.Errorf("metrics:\n%s", text)
	}
}

func TestOneSecondIsABoundaryOfTheTimeToADecision(t *testing.T) {
	t.Parallel()
	meters, read := exposed(t)
	h, err := meters.Meter("x").Float64Histogram(DecisionDuration, metric.WithUnit("s"))
	if err != nil {
		t.Fatal(err)
	}
	h.Record(t.Context(), 1)
	h.Record(t.Context(), 1.1)
	if text := read(); !strings.Contains(text, `order_decision_duration_seconds_bucket{le="1"} 1`+"\n") {
		t.Errorf("metrics:\n%s", text)
	}
}

func TestOnlyWhatTheExportersUnderstandIsAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{Protocol: "grpc"}, {Endpoint: "collector:4317"}, {Endpoint: "http://"}} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []Config{{}, {Protocol: "http/protobuf", Endpoint: "http://127.0.0.1:4318"}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
