package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/telemetry"
)

// measured makes the process's metrics readable, as a map from name{label,…} to a value or a histogram's count. Tests that use
// it cannot run in parallel.
func measured(t *testing.T) func() map[string]float64 {
	t.Helper()
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	return func() map[string]float64 {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, p := range data.DataPoints {
						values[m.Name+labels(p.Attributes.MarshalJSON())] = float64(p.Value)
					}
				case metricdata.Gauge[int64]:
					for _, p := range data.DataPoints {
						values[m.Name+labels(p.Attributes.MarshalJSON())] = float64(p.Value)
					}
				case metricdata.Gauge[float64]:
					for _, p := range data.DataPoints {
						values[m.Name+labels(p.Attributes.MarshalJSON())] = p.Value
					}
				case metricdata.Histogram[float64]:
					for _, p := range data.DataPoints {
						values[m.Name+labels(p.Attributes.MarshalJSON())] = float64(p.Count)
						values[m.Name+labels(p.Attributes.MarshalJSON())+" sum"] = p.Sum
					}
				}
			}
		}
		return values
	}
}

// labels shows the values of a set of attributes, in the order of their names.
func labels(set []byte, _ error) string {
	var out []string
	for _, part := range strings.Split(string(set), `"Value":"`)[1:] {
		value, _, _ := strings.Cut(part, `"`)
		out = append(out, value)
	}
	if len(out) == 0 {
		return ""
	}
	return "{" + strings.Join(out, ",") + "}"
}

func wantValues(t *testing.T, got map[string]float64, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s is %v (%t), want %v, in %v", name, v, ok, value, got)
		}
	}
}

// down refuses every request.
type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }

func TestTheBreakerIsMeasured(t *testing.T) {
	read := measured(t)
	told, err := watchBreaker()
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, read(), map[string]float64{"catalog.breaker.state": 0, "catalog.breaker.changes{closed,open}": 0})
	catalog, err := catalogclient.New(catalogclient.Options{
		BaseURL: "http://catalog.test", Transport: down{}, Log: slog.New(slog.DiscardHandler), OnStateChange: told,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _ = catalog.Release(t.Context(), "00000000-0000-4000-8000-000000000001")
	}
	wantValues(t, read(), map[string]float64{"catalog.breaker.state": 2, "catalog.breaker.changes{closed,open}": 1})
}

func TestOrdersAreCountedByTheirEndAndTimedFromTheRequest(t *testing.T) {
	read := measured(t)
	changed, err := countOrders()
	if err != nil {
		t.Fatal(err)
	}
	declined := order.Order{
		Status: order.Pending, Closing: true, Cause: &order.Cause{Reason: order.PaymentDeclined}, CreatedAt: time.Now().Add(-time.Hour),
	}
	ctx := telemetry.WithRequest(t.Context(), telemetry.Request{At: time.Now().Add(-10 * time.Second)})
	wantValues(t, read(), map[string]float64{
		"orders.finished{,CONFIRMED}": 0, "orders.finished{PAYMENT_DECLINED,FAILED}": 0, "orders.finished{CANCELLED_BY_USER,CANCELLED}": 0,
	})
	changed(ctx, order.Order{Status: order.Pending}) // created
	changed(ctx, declined)
	wantValues(t, read(), map[string]float64{"order.decision.duration{FAILED}": 1, "orders.finished{PAYMENT_DECLINED,FAILED}": 0})
	declined.Status = order.Failed
	changed(ctx, declined)
	changed(ctx, order.Order{Status: order.Confirmed})
	got := read()
	wantValues(t, got, map[string]float64{
		"order.decision.duration{FAILED}": 1, "orders.finished{PAYMENT_DECLINED,FAILED}": 1,
		"order.decision.duration{CONFIRMED}": 1, "orders.finished{,CONFIRMED}": 1,
	})
	if took := got["order.decision.duration{FAILED} sum"]; took < 10 || took > 60 {
		t.Errorf("the decision took %v s after a request 10 s ago", took)
	}
}

func TestSagasInTroubleAreAGaugeThatFalls(t *testing.T) {
	read := measured(t)
	troubled, failing := map[string]int64{}, false
	o := observed{
		pending: func(context.Context) (int64, time.Duration, error) { return 3, time.Minute, nil },
		troubled: func(context.Context, []string) (map[string]int64, error) {
			if failing {
				return nil, errors.New("Temporal is down")
			}
			return troubled, nil
		},
	}
	now := func() map[string]float64 { // a new observer asks at once
		stop, err := o.show(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		return read()
	}
	want := func(step string, n float64) {
		t.Helper()
		wantValues(t, now(), map[string]float64{fmt.Sprintf("saga.needs_attention{%s}", step): n, "orders.pending": 3, "orders.pending.oldest.age": 60})
	}
	for _, step := range []string{"ChargePayment", "RefundPayment", "Fence", "PublishEvent"} {
		want(step, 0)
	}
	troubled["ChargePayment"] = 2
	want("ChargePayment", 2)
	delete(troubled, "ChargePayment")
	want("ChargePayment", 0)
	failing = true
	for name := range now() {
		if strings.HasPrefix(name, "saga.") {
			t.Errorf("%s is shown although Temporal cannot be asked", name)
		}
	}
}
