package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

func Run(ctx context.Context, c Config, log *slog.Logger) error {
	who, err := auth.New(ctx, c.Auth, c.Audience, log)
	if err != nil {
		return err
	}
	pool, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	temporal, err := temporalclient.Open(c.Temporal, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	store := postgres.NewOrders(pool)
	events := newEvents(ctx, c.Events, defaultWatchTimes, store, log)
	defer events.start()()
	api := newAPI(dependencies{
		store: store, sagas: newTemporalSagas(ctx, temporal, c.TaskQueue), who: who, log: log,
		defaultPaymentMethod: c.DefaultPaymentMethod, sagaURL: c.sagaURL(), now: time.Now, events: events,
		edge: c.Edge, perUser: httpapi.NewLimiter("user", c.UserRate, c.UserBurst),
		checks: map[string]httpserver.Check{"database": store.Ready, "temporal": temporalclient.Check(temporal)},
	})
	if c.StripeWebhookSecret != "" {
		webhook{c.StripeWebhookSecret, startStripeEvent(temporal, c.TaskQueue)}.register(api)
	}
	if c.PageCatalogURL != "" {
		p, err := newPage(c.PageCatalogURL, who.Enabled())
		if err != nil {
			return err
		}
		p.register(api)
	}
	return httpserver.ServeTLS(ctx, c.Addr, c.TLS, api, log)
}
