package notifier

import (
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/webhook"
)

// Config is the program's configuration, from the environment.
type Config struct {
	Addr        string `env:"NOTIFIER_ADDR" envDefault:"127.0.0.1:4004" form:"address" help:"host:port of probes and notifications"`
	DatabaseURL string `env:"NOTIFIER_DATABASE_URL,notEmpty" form:"postgres" help:"its own database"`
	RabbitMQURL string `env:"RABBITMQ_URL,notEmpty" form:"amqp" help:"broker of the order events"`
	Workers     int    `env:"NOTIFIER_WORKERS" envDefault:"1" help:"batches in work at once, per queue, 1 to 64"`
	Senders     int    `env:"NOTIFIER_SENDERS" envDefault:"4" help:"mails and webhooks sent at once, 1 to 64"`

	RetryTiers []time.Duration `env:"NOTIFIER_RETRY_TIERS" envDefault:"5s,30s,2m,10m" help:"delays of retries"`

	SMTPURL  string `env:"SMTP_URL" secret:"true" help:"smtp[s]://user:password@host:port[?tls=none]; without it, mails are logged"`
	MailFrom string `env:"MAIL_FROM" help:"sender of mail, for example Shop <orders@shop.example>; required with SMTP_URL"`

	OperatorEmail  string `env:"OPERATOR_EMAIL" help:"receives alerts; without it and a webhook, alerts are logged"`
	OperatorURL    string `env:"OPERATOR_WEBHOOK_URL" form:"url" secret:"true" help:"webhook for alerts"`
	OperatorSecret string `env:"OPERATOR_WEBHOOK_SECRET" secret:"true" help:"signs its calls: whsec_ and 24 to 64 bytes in base64"`
}

// Validate checks what the fields' types cannot.
func (c Config) Validate() error {
	problems := []error{concurrency("NOTIFIER_WORKERS", c.Workers), concurrency("NOTIFIER_SENDERS", c.Senders)}
	if err := c.topology().Validate(); err != nil {
		problems = append(problems, fmt.Errorf("NOTIFIER_RETRY_TIERS: %w", err))
	}
	if _, err := c.mailer(); err != nil {
		problems = append(problems, err)
	}
	if c.OperatorEmail != "" {
		if _, err := mail.ParseAddress(c.OperatorEmail); err != nil {
			problems = append(problems, fmt.Errorf("OPERATOR_EMAIL: %w", err))
		}
	}
	if c.OperatorURL != "" || c.OperatorSecret != "" {
		if c.OperatorURL == "" {
			problems = append(problems, errors.New("OPERATOR_WEBHOOK_URL: is missing although OPERATOR_WEBHOOK_SECRET is set"))
		}
		if _, err := webhook.ParseKey(c.OperatorSecret); err != nil {
			problems = append(problems, fmt.Errorf("OPERATOR_WEBHOOK_SECRET: %w", err))
		}
	}
	return errors.Join(problems...)
}

// topology is the topology of all programs with the configured retry tiers.
func (c Config) topology() rabbitmq.Topology {
	t := rabbitmq.DefaultTopology()
	t.Tiers = c.RetryTiers
	return t
}

func concurrency(variable string, n int) error {
	if n < 1 || n > 64 {
		return fmt.Errorf("%s: %d is not between 1 and 64", variable, n)
	}
	return nil
}

// mailer returns nil if no mail server is configured.
func (c Config) mailer() (*mailer, error) {
	if c.SMTPURL == "" {
		return nil, nil
	}
	return newMailer(c.SMTPURL, c.MailFrom)
}

func (c Config) operators() contact {
	return contact{Email: c.OperatorEmail, WebhookURL: c.OperatorURL, WebhookSecret: c.OperatorSecret}
}
