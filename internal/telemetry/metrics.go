package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// current is what Handler serves, once Start has set it.
var current atomic.Pointer[http.Handler]

// Handler serves GET /metrics. It responds with 404 before Start, and when the metrics have an address of their own.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := current.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// newMeters returns the provider of the meters, and the handler that shows their metrics with those of the Go runtime and the
// process.
func newMeters(ctx context.Context, who *resource.Resource, c Config) (*sdk.MeterProvider, http.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, nil, fmt.Errorf("collect metrics: %w", err)
	}
	options := []sdk.Option{sdk.WithResource(who), sdk.WithReader(reader), sdk.WithView(view)}
	if c.exports() {
		push, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: send metrics: %w", err)
		}
		options = append(options, sdk.WithReader(sdk.NewPeriodicReader(push)))
	}
	return sdk.NewMeterProvider(options...), promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}), nil
}

// TemporalMeter is the name of the meter for the metrics of Temporal's SDK.
const TemporalMeter = "temporal"

// Buckets of histograms in seconds. The time to a decision has finer ones, so that a quantile is exact to some 10 %; each
// objective is a boundary.
var (
	seconds = []float64{
		.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
	}
	fineSeconds = []float64{
		.005, .0063, .008, .01, .0125, .016, .02, .025, .0315, .04, .05, .063, .08, .1, .125, .16, .2, .25, .315, .4, .5, .63, .8,
		1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8, 10, 30, 60, 300, 900, 1200,
	}
)

// DecisionDuration is the metric with the finer buckets.
const DecisionDuration = "order.decision.duration"

// dropped are metrics that libraries offer and no operator asks for.
var dropped = []string{
	"http.server.request.body.size", "http.server.response.body.size", "http.client.request.body.size",
	// In nanoseconds; db_client_operation_duration_seconds has how long acquiring a connection takes.
	"pgxpool.acquire_duration", "pgxpool.empty_acquire_wait_time",
	"saga_needs_attention", // counts troubles; the worker's gauge of the same name shows those that last
}

// labels are the attributes that the metrics of HTTP keep. The others would let strangers make series: a server's address is
// whatever the client's Host header says, and a webhook's is the customer's.
var labels = map[string][]attribute.Key{
	"http.server.request.duration": {"http.request.method", "http.route", "http.response.status_code"},
	"http.client.request.duration": {"http.request.method", "http.response.status_code", "error.type", peerService},
}

// view corrects what libraries record: buckets that fit, no labels without a bound, a description for each metric.
func view(i sdk.Instrument) (sdk.Stream, bool) {
	s := sdk.Stream{Name: i.Name, Description: i.Description, Unit: i.Unit}
	temporal := i.Scope.Name == TemporalMeter
	if slices.Contains(dropped, i.Name) {
		s.Aggregation = sdk.AggregationDrop{}
		return s, true
	}
	if i.Kind == sdk.InstrumentKindHistogram && i.Unit == "s" {
		s.Aggregation = sdk.AggregationExplicitBucketHistogram{Boundaries: seconds}
		if i.Name == DecisionDuration {
			s.Aggregation = sdk.AggregationExplicitBucketHistogram{Boundaries: fineSeconds}
		}
	}
	if keep := labels[i.Name]; keep != nil {
		s.AttributeFilter = attribute.NewAllowKeysFilter(keep...)
	}
	if temporal && s.Description == "" {
		s.Description = "Temporal's Go SDK: " + strings.ReplaceAll(strings.TrimPrefix(i.Name, "temporal_"), "_", " ")
	}
	return s, true
}

// serve serves GET /metrics, and nothing else, until the caller calls stop.
func serve(ctx context.Context, addr string, metrics http.Handler, log *slog.Logger) (stop func(), err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve metrics (METRICS_ADDR): %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("serving metrics", "addr", listener.Addr().String())
	return func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) { // Close makes Serve return
			log.Warn("the metrics' server failed", "error", err.Error())
		}
	}, nil
}
