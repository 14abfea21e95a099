package worker

import (
	"errors"
	"time"

	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// Config is the program's configuration.
type Config struct {
	Addr         string `env:"WORKER_ADDR" envDefault:"127.0.0.1:4003" form:"address" help:"host:port of probes and /metrics"`
	DatabaseURL  string `env:"DATABASE_URL,notEmpty" form:"postgres" help:"PostgreSQL with the orders"`
	CatalogURL   string `env:"CATALOG_URL" envDefault:"http://127.0.0.1:4002" form:"http" help:"URL of the catalog"`
	CatalogToken catalogToken
	StripeURL    string `env:"STRIPE_API_URL" envDefault:"http://127.0.0.1:12111" form:"http" help:"payment gateway"`
	StripeKey    string `env:"STRIPE_API_KEY,notEmpty" secret:"true" help:"secret API key of the payment gateway"`
	RabbitMQURL  string `env:"RABBITMQ_URL,notEmpty" form:"amqp" help:"broker of the order events"`

	Temporal  temporalclient.Config
	TaskQueue string `env:"TASK_QUEUE" envDefault:"orders" help:"Temporal task queue of the order workflows"`
	Version   versioning

	FastPath       bool          `env:"FAST_PATH" envDefault:"true" help:"false: every step is a regular activity"`
	Concurrency    int           `env:"WORKER_CONCURRENCY" envDefault:"200" help:"tasks and activities at once, per kind"`
	StopTimeout    time.Duration `env:"WORKER_STOP_TIMEOUT" envDefault:"20s" help:"time for running activities after SIGTERM"`
	PriceAge       time.Duration `env:"CATALOG_PRICE_MAX_AGE" envDefault:"5m" help:"age of prices during an outage; 0: none"`
	RecoveryEvery  time.Duration `env:"RECOVERY_INTERVAL" envDefault:"1m" help:"pause between searches for interrupted orders"`
	LookupEvery    time.Duration `env:"REFUND_LOOKUP_INTERVAL" envDefault:"1h" help:"pause between look-ups of refunds at the gateway"`
	RecoveryMinAge time.Duration `env:"RECOVERY_MIN_AGE" envDefault:"2m" help:"age of unfinished orders that are recovered"`
}

// Validate reports what no single field shows.
func (c Config) Validate() error {
	var problems []error
	check := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, errors.New(problem))
		}
	}
	check(c.Concurrency > 0, "WORKER_CONCURRENCY: must be at least 1")
	check(c.StopTimeout > 0, "WORKER_STOP_TIMEOUT: must be more than 0, or SIGTERM would cut off running activities")
	check(c.PriceAge >= 0, "CATALOG_PRICE_MAX_AGE: must not be negative")
	check(c.RecoveryEvery >= time.Second, "RECOVERY_INTERVAL: must be at least 1s")
	check(c.LookupEvery >= time.Second, "REFUND_LOOKUP_INTERVAL: must be at least 1s")
	check(c.RecoveryMinAge >= time.Second, "RECOVERY_MIN_AGE: must be at least 1s")
	return errors.Join(problems...)
}

// priceAge returns CATALOG_PRICE_MAX_AGE for the catalog's client, which takes 0 as its own default.
func (c Config) priceAge() time.Duration {
	if c.PriceAge == 0 {
		return -1
	}
	return c.PriceAge
}
