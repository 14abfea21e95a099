package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Gauge describes a value that is read now and then.
type Gauge struct {
	Name string // with dots; Prometheus shows underscores and the unit
	Unit string // as OpenTelemetry writes it: s, {order}
	Help string
}

// Reading is the value of a gauge, for one set of labels.
type Reading struct {
	Gauge  string
	Value  float64
	Labels []attribute.KeyValue
}

const (
	readEvery   = 10 * time.Second // asking more often shows the last readings again
	readTimeout = 2 * time.Second
)

// Observe shows gauges whose values read has to ask for elsewhere. It asks when somebody wants to see them, and not more often
// than every 10 s. While it fails, the gauges show nothing: an old value would look like a true one. The caller calls stop
// before what read needs is closed.
func Observe(
	meter string, log *slog.Logger, gauges []Gauge, read func(context.Context) ([]Reading, error),
) (stop func(), err error) {
	m := otel.Meter(meter)
	instruments := map[string]metric.Float64ObservableGauge{}
	var all []metric.Observable
	for _, g := range gauges {
		instruments[g.Name], err = m.Float64ObservableGauge(g.Name, metric.WithUnit(g.Unit), metric.WithDescription(g.Help))
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", g.Name, err)
		}
		all = append(all, instruments[g.Name])
	}
	last := readings{read: read, log: log.With("gauges", gauges[0].Name)}
	registration, err := m.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		for _, r := range last.get(ctx) {
			to.ObserveFloat64(instruments[r.Gauge], r.Value, metric.WithAttributes(r.Labels...))
		}
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w", gauges[0].Name, err)
	}
	return func() { _ = registration.Unregister() }, nil // it cannot fail
}

// readings are the last ones, and when they were read.
type readings struct {
	read func(context.Context) ([]Reading, error)
	log  *slog.Logger

	mu     sync.Mutex
	values []Reading
	at     time.Time
}

func (r *readings) get(ctx context.Context) []Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readEvery {
		return r.values
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	values, err := r.read(ctx)
	if err != nil {
		r.log.Warn("not measured", "error", err.Error())
		values = nil
	}
	r.values, r.at = values, time.Now()
	return values
}
