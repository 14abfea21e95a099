package stripesim

import (
	"errors"
	"fmt"
	"time"

	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

type Config struct {
	Addr        string        `env:"STRIPESIM_ADDR" envDefault:"127.0.0.1:12111" form:"host:port" help:"host:port to listen on; reading the ledger needs no key, so keep it on loopback or on a private network"`
	DatabaseURL string        `env:"STRIPESIM_DATABASE_URL,required,notEmpty" form:"postgres://user:password@host:port/name" secret:"true" help:"PostgreSQL database with the ledger (postgres://user:password@host:port/name)"`
	APIKey      string        `env:"STRIPESIM_API_KEY,required,notEmpty" secret:"true" help:"the key that clients must send; make one up, for example sk_test_local"`
	DeclineRate float64       `env:"STRIPESIM_DECLINE_RATE" envDefault:"0" help:"share of confirmations that are declined, from 0 to 1"`
	Latency     time.Duration `env:"STRIPESIM_LATENCY" envDefault:"0s" help:"delay added to every call, before its effect"`
	KeyLife     time.Duration `env:"STRIPESIM_IDEMPOTENCY_KEY_LIFE" envDefault:"24h" help:"how long responses are kept by idempotency key"`
	SearchDelay time.Duration `env:"STRIPESIM_SEARCH_DELAY" envDefault:"1m" help:"how long after its creation a search finds a payment"`

	WebhookURL    string `env:"STRIPESIM_WEBHOOK_URL" form:"http://host:port/path" help:"receives payment events, for example http://127.0.0.1:8080/stripe/webhook; if empty, none are sent"`
	WebhookSecret string `env:"STRIPESIM_WEBHOOK_SECRET" secret:"true" help:"signs payment events; the receiver must know it"`
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

func (c Config) options() gateway.Options {
	return gateway.Options{
		APIKey:      c.APIKey,
		DeclineRate: c.DeclineRate,
		Latency:     c.Latency,
		KeyLife:     c.KeyLife,
		SearchDelay: c.SearchDelay,

		WebhookURL: c.WebhookURL, WebhookSecret: c.WebhookSecret,
	}
}
