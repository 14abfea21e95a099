package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// breakerStates are the values of the gauge.
var breakerStates = map[string]int64{"closed": 0, "half-open": 1, "open": 2}

// watchBreaker measures the catalog's circuit breaker: catalog_breaker_state (0 closed, 1 half-open, 2 open) and
// catalog_breaker_changes_total. The caller calls the returned function on every change.
func watchBreaker(meter metric.Meter) (func(from, to string), error) {
	state, err := meter.Int64Gauge("catalog_breaker_state",
		metric.WithDescription("circuit breaker of the catalog: 0 closed, 1 half-open, 2 open"))
	changes, err2 := meter.Int64Counter("catalog_breaker_changes",
		metric.WithDescription("state changes of the catalog's circuit breaker"))
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("measure the circuit breaker: %w", err)
	}
	ctx := context.Background()
	state.Record(ctx, breakerStates["closed"])
	return func(from, to string) {
		state.Record(ctx, breakerStates[to])
		changes.Add(ctx, 1, metric.WithAttributes(attribute.String("from", from), attribute.String("to", to)))
	}, nil
}

// withMetrics serves GET /metrics beside the probes.
func withMetrics(probes http.Handler, metrics *telemetry.Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", probes)
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
