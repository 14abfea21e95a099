package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.temporal.io/sdk/contrib/opentelemetry"

	"github.com/ordersaga/ordersaga/catalog/catalogclient"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/telemetry"
	"github.com/ordersaga/ordersaga/saga"
)

// down refuses every request.
type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }

func TestTheBreakerAndSagasThatNeedAttentionAreMeasured(t *testing.T) {
	t.Parallel()
	metrics, err := telemetry.New()
	if err != nil {
		t.Fatal(err)
	}
	told, err := watchBreaker(metrics.Meter("worker"))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h := withMetrics(httpserver.Probes(nil, log), metrics)
	shows := func(lines ...string) {
		t.Helper()
		res := httptest.NewRecorder()
		h.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		for _, line := range lines {
			if !strings.Contains(res.Body.String(), "\n"+line+"\n") {
				t.Errorf("status %d, no line %q in\n%s", res.Code, line, res.Body)
			}
		}
	}
	shows("catalog_breaker_state 0")
	catalog, err := catalogclient.New(catalogclient.Options{
		BaseURL: "http://catalog.test", Transport: down{}, Log: log, OnStateChange: told,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _ = catalog.Release(t.Context(), "00000000-0000-4000-8000-000000000001")
	}
	shows("catalog_breaker_state 2", `catalog_breaker_changes_total{from="closed",to="open"} 1`)

	sdk := opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: metrics.Meter("temporal")})
	sdk.WithTags(map[string]string{"step": "ChargePayment"}).Counter(saga.AttentionCounter).Inc(1)
	shows(saga.AttentionCounter + `{step="ChargePayment"} 1`)

	res := httptest.NewRecorder()
	h.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), "GET", "/livez", nil))
	if res.Code != http.StatusOK {
		t.Errorf("livez: %d", res.Code)
	}
}
