package stripesim

import (
	"errors"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

// Config is the program's configuration: where it listens and keeps its ledger, and how the gateway behaves.
type Config struct {
	Addr        string `env:"STRIPESIM_ADDR" envDefault:"127.0.0.1:12111" form:"address" help:"host:port; the ledger needs no key"`
	DatabaseURL string `env:"STRIPESIM_DATABASE_URL,notEmpty" form:"postgres" help:"database of the ledger"`
	gateway.Options
}

// Validate checks what the fields' types cannot.
func (c Config) Validate() error {
	var problems []error
	if !(c.DeclineRate >= 0 && c.DeclineRate <= 1) {
		problems = append(problems, fmt.Errorf("STRIPESIM_DECLINE_RATE: %g is not from 0 to 1", c.DeclineRate))
	}
	for name, d := range map[string]time.Duration{
		"STRIPESIM_LATENCY":              c.Latency,
		"STRIPESIM_IDEMPOTENCY_KEY_LIFE": c.KeyLife,
		"STRIPESIM_SEARCH_DELAY":         c.SearchDelay,
		"STRIPESIM_REFUND_DELAY":         c.RefundDelay,
	} {
		if d < 0 {
			problems = append(problems, fmt.Errorf("%s: %s is negative", name, d))
		}
	}
	if (c.WebhookURL == "") != (c.WebhookSecret == "") {
		problems = append(problems, errors.New("STRIPESIM_WEBHOOK_SECRET, STRIPESIM_WEBHOOK_URL: set both or neither"))
	}
	if c.Latency > gateway.MaxLatency {
		problems = append(problems, fmt.Errorf("STRIPESIM_LATENCY: %s is more than %s", c.Latency, gateway.MaxLatency))
	}
	return errors.Join(problems...)
}
