package notifier

import (
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/ordersaga/ordersaga/internal/rabbitmq"
	"github.com/ordersaga/ordersaga/internal/webhook"
)

type Config struct {
	Addr        string `env:"NOTIFIER_ADDR" envDefault:"127.0.0.1:4004" form:"host:port" help:"host:port of the probes and of GET /notifications"`
	DatabaseURL string `env:"NOTIFIER_DATABASE_URL,required,notEmpty" form:"postgres://user:password@host:port/name" secret:"true" help:"PostgreSQL database of the notifier: postgres://user:password@host:port/name"`
	RabbitMQURL string `env:"RABBITMQ_URL,required,notEmpty" form:"amqp://user:password@host:port/vhost" secret:"true" help:"broker of the order events: amqp://user:password@host:port/vhost"`
	Workers     int    `env:"NOTIFIER_WORKERS" envDefault:"1" help:"batches of up to 20 messages recorded at the same time, per queue, 1 to 64"`
	Senders     int    `env:"NOTIFIER_SENDERS" envDefault:"4" help:"mails and webhooks sent at the same time, 1 to 64"`

	RetryTiers []time.Duration `env:"NOTIFIER_RETRY_TIERS" envDefault:"5s,30s,2m,10m" help:"delays before the second, third, … attempt at a message that failed; after the last one it is dead-lettered"`

	SMTPURL  string `env:"SMTP_URL" secret:"true" help:"mail server: smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or smtp://host:25?tls=none; if empty, mails are logged instead"`
	MailFrom string `env:"MAIL_FROM" help:"sender of mail, for example Shop <orders@shop.example>; required with SMTP_URL"`

	OperatorEmail  string `env:"OPERATOR_EMAIL" help:"receives alerts about orders that need attention; without it and a webhook, alerts are logged"`
	OperatorURL    string `env:"OPERATOR_WEBHOOK_URL" form:"http://host/path" secret:"true" help:"webhook for alerts about orders that need attention"`
	OperatorSecret string `env:"OPERATOR_WEBHOOK_SECRET" secret:"true" help:"signs calls of that webhook: whsec_ and 24 to 64 bytes in base64"`
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
