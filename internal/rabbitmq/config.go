package rabbitmq

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Config says how to reach the broker. URL and Log must be set.
type Config struct {
	// URL is amqp://user:password@host:port/vhost, or amqps:// for TLS. It is never logged.
	URL string
	// Name names the connection in the management UI, for example "worker".
	Name string
	// Topology is declared on every connection; the zero value means DefaultTopology.
	Topology Topology
	Log      *slog.Logger
	// MaxBackoff bounds the pause between two attempts to connect; 5 s when zero.
	MaxBackoff time.Duration
}

// withDefaults checks the configuration and fills in defaults. The error does not show the URL, which holds a password.
func (c Config) withDefaults() (Config, error) {
	if _, err := amqp.ParseURI(c.URL); err != nil {
		return c, errors.New("the RabbitMQ URL cannot be parsed: want amqp://user:password@host:port/vhost")
	}
	if c.Log == nil {
		return c, errors.New("rabbitmq: a logger is needed")
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = 5 * time.Second
	}
	if c.Topology.isZero() {
		c.Topology = DefaultTopology()
	}
	if err := c.Topology.Validate(); err != nil {
		return c, fmt.Errorf("rabbitmq: %w", err)
	}
	return c, nil
}
