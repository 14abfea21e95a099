package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersaga/ordersaga/internal/env"
)

var required = []string{"DATABASE_URL=postgres://x", "STRIPE_API_KEY=sk_test_x", "RABBITMQ_URL=amqp://x"}

func TestDefaultsAreUsable(t *testing.T) {
	t.Parallel()
	c, err := env.Parse[Config](required)
	if err != nil || !c.FastPath || c.priceAge() != 5*time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEveryWrongVariableIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"DATABASE_URL":           nil,
		"WORKER_CONCURRENCY":     append([]string{"WORKER_CONCURRENCY=0"}, required...),
		"WORKER_STOP_TIMEOUT":    append([]string{"WORKER_STOP_TIMEOUT=0s"}, required...),
		"CATALOG_PRICE_MAX_AGE":  append([]string{"CATALOG_PRICE_MAX_AGE=-1s"}, required...),
		"RECOVERY_INTERVAL":      append([]string{"RECOVERY_INTERVAL=1ms"}, required...),
		"REFUND_LOOKUP_INTERVAL": append([]string{"REFUND_LOOKUP_INTERVAL=0s"}, required...),
		"RECOVERY_MIN_AGE":       append([]string{"RECOVERY_MIN_AGE=soon"}, required...),
		// half a version, or one that the server would refuse
		"WORKER_BUILD_ID":        append([]string{"WORKER_DEPLOYMENT_NAME=orders"}, required...),
		"WORKER_DEPLOYMENT_NAME": append([]string{"WORKER_DEPLOYMENT_NAME=a.b", "WORKER_BUILD_ID=1"}, required...),
		"TEMPORAL_ADDRESS":       append([]string{"TEMPORAL_ADDRESS=nowhere"}, required...),
		"CATALOG_TOKEN: not a":   append([]string{"CATALOG_TOKEN=sesame open"}, required...),
		"CATALOG_TOKEN_FILE":     append([]string{"CATALOG_TOKEN=sesame", "CATALOG_TOKEN_FILE=/run/token"}, required...),
	}
	for name, environ := range tests {
		if _, err := env.Parse[Config](environ); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		} else if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v shows a secret", name, err)
		}
	}
}

func TestNoPriceAgeMeansNoOldPrice(t *testing.T) {
	t.Parallel()
	if got := (Config{}).priceAge(); got >= 0 {
		t.Errorf("got %s", got)
	}
}
