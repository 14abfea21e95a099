package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// Config says where metrics and traces go. The exporters read OpenTelemetry's other standard variables themselves
// (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES, …); docs/observability.md lists them.
type Config struct {
	MetricsAddr string `env:"METRICS_ADDR" form:"address" help:"host:port of /metrics; when empty, it is on the port of the probes"`
	Endpoint    string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" form:"http" help:"receiver of traces and metrics (OTLP); none when empty"`
	Protocol    string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf" help:"only http/protobuf is supported"`
	Disabled    bool   `env:"OTEL_SDK_DISABLED" help:"true: send nothing, whatever the endpoint"`
}

// Validate refuses what the exporters would ignore.
func (c Config) Validate() error {
	if c.Protocol != "" && c.Protocol != "http/protobuf" {
		return errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported")
	}
	if u, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return errors.New("OTEL_EXPORTER_OTLP_ENDPOINT: want http(s)://host:port")
	}
	return nil
}

// exports reports whether traces and metrics are sent anywhere.
func (c Config) exports() bool { return c.Endpoint != "" && !c.Disabled }

// Build names the program that runs, in every metric and span.
type Build struct {
	Program string
	Release string // for example v0.1.0
	Commit  string // "" when it is not known
}

// flushTimeout bounds how long the end of a program waits for a receiver that does not respond.
const flushTimeout = 3 * time.Second

// Start makes this program's metrics and traces the process's (OpenTelemetry's global providers). The caller calls stop at the
// end, which sends what is left.
func Start(ctx context.Context, build Build, c Config, log *slog.Logger) (stop func(), err error) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry", "error", err.Error()) }))
	otel.SetTextMapPropagator(propagator{})
	who, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName(build.Program), semconv.ServiceVersion(build.Release), semconv.VCSRefHeadRevision(build.Commit),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	meters, exposed, err := newMeters(ctx, who, c)
	if err != nil {
		return nil, err
	}
	otel.SetMeterProvider(meters)
	ends := []func(context.Context) error{meters.Shutdown}
	if c.exports() {
		tracers, err := newTracers(ctx, who, c)
		if err != nil {
			return nil, err
		}
		otel.SetTracerProvider(tracers)
		ends = append(ends, tracers.Shutdown)
	}
	closeServer, err := expose(ctx, c.MetricsAddr, exposed, log)
	if err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		for _, end := range ends {
			if err := end(ctx); err != nil {
				log.Warn("the last metrics or traces were not sent", "error", err.Error())
			}
		}
		closeServer()
	}, nil
}

// expose serves the metrics at an address of their own, or lets Handler serve them.
func expose(ctx context.Context, addr string, metrics http.Handler, log *slog.Logger) (closeServer func(), err error) {
	if addr == "" {
		current.Store(&metrics)
		return func() {}, nil
	}
	return serve(ctx, addr, metrics, log)
}
