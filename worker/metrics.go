package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/telemetry"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
	"github.com/ordersaga/ordersaga/workflows"
)

func meter() metric.Meter { return otel.Meter("worker") }

// breakerStates are the values of the gauge.
var breakerStates = map[string]int64{"closed": 0, "half-open": 1, "open": 2}

// watchBreaker measures the catalog's circuit breaker: catalog_breaker_state (0 closed, 1 half-open, 2 open) and
// catalog_breaker_changes_total. The caller calls the returned function on every change.
func watchBreaker() (func(from, to string), error) {
	state, err := meter().Int64Gauge("catalog.breaker.state",
		metric.WithDescription("Circuit breaker of the catalog: 0 closed, 1 half-open, 2 open."))
	changes, err2 := meter().Int64Counter("catalog.breaker.changes",
		metric.WithDescription("State changes of the catalog's circuit breaker."))
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("measure the circuit breaker: %w", err)
	}
	ctx := context.Background()
	state.Record(ctx, breakerStates["closed"])
	changes.Add(ctx, 0, change("closed", "open"))
	return func(from, to string) {
		state.Record(ctx, breakerStates[to])
		changes.Add(ctx, 1, change(from, to))
	}, nil
}

func change(from, to string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("from", from), attribute.String("to", to))
}

// countOrders returns what measures each transition of an order: order_decision_duration_seconds and orders_finished_total.
func countOrders() (func(context.Context, order.Order), error) {
	decisions, err := meter().Float64Histogram(telemetry.DecisionDuration, metric.WithUnit("s"), metric.WithDescription(
		"Time from the arrival of the request until the order's row said how it ends, by the status in which it ends."))
	finished, err2 := meter().Int64Counter("orders.finished",
		metric.WithDescription("Orders that reached their final status, by status and reason."))
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("measure orders: %w", err)
	}
	// All series exist from the start: the first failure of a kind is then an increase.
	for _, status := range []order.Status{order.Confirmed, order.Failed, order.Cancelled} {
		for _, reason := range append(order.Reasons(), "") {
			if reason == "" && status == order.Confirmed || reason != "" && reason.FinalStatus() == status {
				finished.Add(context.Background(), 0, end(status, reason))
			}
		}
	}
	return func(ctx context.Context, o order.Order) {
		var reason order.Reason
		ends := o.Status
		if o.Cause != nil {
			reason = o.Cause.Reason
			ends = reason.FinalStatus()
		}
		if o.Status == order.Confirmed || o.Status == order.Pending && o.Closing {
			decisions.Record(ctx, took(ctx, o).Seconds(), metric.WithAttributes(attribute.String("status", string(ends))))
		}
		if o.Status.Final() {
			finished.Add(ctx, 1, end(o.Status, reason))
		}
	}, nil
}

func end(status order.Status, reason order.Reason) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("status", string(status)), attribute.String("reason", string(reason)))
}

// took is how long ago the order's request arrived, or its row was written when no request is known: an operator may have
// started the workflow.
func took(ctx context.Context, o order.Order) time.Duration {
	since := o.CreatedAt
	if at := telemetry.RequestOf(ctx).At; !at.IsZero() {
		since = at
	}
	return max(0, time.Since(since))
}

// observed is what the worker asks now and then: the orders' table and Temporal's list of workflows. Every worker shows the
// same values, which no restart changes.
type observed struct {
	pending  func(context.Context) (count int64, oldest time.Duration, err error)
	troubled func(ctx context.Context, steps []string) (map[string]int64, error)
}

// Gauges of the worker.
const (
	pendingOrders  = "orders.pending"
	oldestPending  = "orders.pending.oldest.age"
	needsAttention = "saga.needs_attention"
)

// show shows the gauges until the caller calls stop.
func (o observed) show(log *slog.Logger) (stop func(), err error) {
	stopOrders, err := telemetry.Observe("worker", log, []telemetry.Gauge{
		{Name: pendingOrders, Unit: "", Help: "Orders without a final status."},
		{Name: oldestPending, Unit: "s", Help: "Age of the oldest order without a final status; 0 if there is none."},
	}, func(ctx context.Context) ([]telemetry.Reading, error) {
		count, age, err := o.pending(ctx)
		return []telemetry.Reading{{Gauge: pendingOrders, Value: float64(count)}, {Gauge: oldestPending, Value: age.Seconds()}}, err
	})
	if err != nil {
		return nil, err
	}
	stopSagas, err := telemetry.Observe("worker", log, []telemetry.Gauge{
		{Name: needsAttention, Unit: "", Help: "Running sagas that need attention, by the step that stays broken."},
	}, func(ctx context.Context) ([]telemetry.Reading, error) {
		steps := workflows.Steps()
		counts, err := o.troubled(ctx, steps)
		var out []telemetry.Reading
		for _, step := range append(steps, temporalclient.OtherSteps) {
			out = append(out, telemetry.Reading{
				Gauge: needsAttention, Value: float64(counts[step]), Labels: []attribute.KeyValue{attribute.String("step", step)},
			})
		}
		return out, err
	})
	if err != nil {
		stopOrders()
		return nil, err
	}
	return func() { stopOrders(); stopSagas() }, nil
}
