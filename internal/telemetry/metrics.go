// Package telemetry collects what a program measures and shows it to Prometheus.
//
// Whatever measures does so through OpenTelemetry's API; this package alone knows who collects it.
package telemetry

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// Metrics are the measurements of one program.
type Metrics struct {
	provider *sdk.MeterProvider
	registry *prometheus.Registry
}

// New returns metrics that show the Go runtime and the process, and whatever the meters measure.
func New() (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("collect metrics: %w", err)
	}
	return &Metrics{sdk.NewMeterProvider(sdk.WithReader(reader)), registry}, nil
}

// Meter measures for the part of the program that is named.
func (m *Metrics) Meter(name string) metric.Meter { return m.provider.Meter(name) }

// Handler answers with everything measured, in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
