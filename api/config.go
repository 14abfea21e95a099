package api

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/order"
	"github.com/ordersaga/ordersaga/internal/stripe"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// Config is the program's configuration.
type Config struct {
	Addr                 string        `env:"API_ADDR" envDefault:"127.0.0.1:8080" form:"address" help:"host:port to listen on"`
	DatabaseURL          string        `env:"DATABASE_URL,notEmpty" form:"postgres" help:"the orders; a reading role suffices"`
	TaskQueue            string        `env:"TASK_QUEUE" envDefault:"orders" help:"Temporal task queue of the worker"`
	TemporalUIURL        string        `env:"TEMPORAL_UI_URL" form:"http" help:"Web UI of Temporal, for links from orders to their sagas"`
	PageCatalogURL       string        `env:"PAGE_CATALOG_URL" form:"http" help:"catalog; switches on the page for trying out orders at /"`
	DefaultPaymentMethod string        `env:"DEFAULT_PAYMENT_METHOD" envDefault:"pm_card_visa" help:"for orders without one"`
	StripeWebhookSecret  string        `env:"STRIPE_WEBHOOK_SECRET" secret:"true" help:"whsec_…; switches on POST /stripe/webhook"`
	CancelWindow         time.Duration `env:"CANCEL_WINDOW" envDefault:"0s" help:"time to cancel a confirmed order; 0: until shipped"`
	Edge                 httpapi.Edge
	UserRate             float64 `env:"RATE_LIMIT_PER_USER" envDefault:"20" help:"requests per second of a user; 0: no limit"`
	UserBurst            int     `env:"RATE_LIMIT_PER_USER_BURST" envDefault:"50" help:"requests of a user at once"`
	TLS                  httpserver.TLS
	Events               eventsConfig
	Auth                 auth.Config
	Audience             string `env:"JWT_AUDIENCE" envDefault:"orders" help:"the audience (aud) that a token must name"`
	Temporal             temporalclient.Config
}

// Validate reports what no single field shows.
func (c Config) Validate() error {
	var errs []error
	if c.UserRate < 0 || c.UserRate > 0 && c.UserBurst < 1 {
		errs = append(errs, errors.New("RATE_LIMIT_PER_USER: want 0 or more, and a RATE_LIMIT_PER_USER_BURST of 1 or more"))
	}
	if c.CancelWindow < 0 {
		errs = append(errs, errors.New("CANCEL_WINDOW: must not be negative"))
	}
	if c.StripeWebhookSecret != "" && !stripe.IsWebhookSecret(c.StripeWebhookSecret) {
		errs = append(errs, errors.New("STRIPE_WEBHOOK_SECRET: want whsec_ and 16 characters or more"))
	}
	if !regexp.MustCompile(paymentMethodPattern).MatchString(c.DefaultPaymentMethod) {
		errs = append(errs, fmt.Errorf("DEFAULT_PAYMENT_METHOD: want a reference that matches %s", paymentMethodPattern))
	}
	return errors.Join(errs...)
}

// sagaURL returns a function that links to an order's saga in the Web UI, or nil without a Web UI.
func (c Config) sagaURL() func(order.ID) string {
	if c.TemporalUIURL == "" {
		return nil
	}
	base, namespace := c.TemporalUIURL, c.Temporal.NamespaceName()
	return func(id order.ID) string {
		u, err := url.JoinPath(base, "namespaces", namespace, "workflows", id.WorkflowID())
		if err != nil {
			return "" // the base was checked
		}
		return u
	}
}
