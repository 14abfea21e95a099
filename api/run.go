package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpapi"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/internal/postgres"
	"github.com/ordersaga/ordersaga/internal/temporalclient"
)

// Run is the program: it takes orders until ctx is done.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	temporal, err := temporalclient.Open(c.Temporal, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	return RunOn(ctx, c, log, temporal, newOutcomes(askPause))
}

// RunOn is Run on a connection to Temporal and with outcomes that a worker in the same process shares. With a worker on
// the same client, a start brings back the first workflow task.
func RunOn(ctx context.Context, c Config, log *slog.Logger, temporal *temporalclient.Client, outcomes *Outcomes) error {
	who := auth.New(c.Auth, c.Audience, log)
	defer background(ctx, who.Run)()
	db, err := pgdb.OpenReader(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	store := postgres.NewOrders(db.Pool)
	events := newEvents(ctx, c.Events, defaultWatchTimes, store, log)
	defer background(ctx, events.watcher.run)()
	defer background(ctx, func(ctx context.Context) { outcomes.run(ctx, store.Decided, log) })()
	refunds, refunded := postgres.NewRefunds(db.Pool), newRefunded()
	defer background(ctx, func(ctx context.Context) { refunded.run(ctx, refunds.Answered, log) })()
	sagas := temporalclient.NewWorkflows(temporal, c.TaskQueue)
	api := newAPI(dependencies{
		store: store, refunds: refunds, engine: sagas, outcomes: outcomes, refunded: refunded, cancelWindow: c.CancelWindow,
		running: ctx, longestWait: maxWait, who: who, log: log,
		defaultPaymentMethod: c.DefaultPaymentMethod, sagaURL: c.sagaURL(), now: time.Now, events: events,
		edge: c.Edge, perUser: httpapi.NewLimiter("user", c.UserRate, c.UserBurst),
		checks: map[string]httpserver.Check{"database": store.Ready, "temporal": temporal.Check, "keys": who.Ready},
	})
	if c.StripeWebhookSecret != "" {
		webhook{c.StripeWebhookSecret, sagas.StartPaymentEvent}.register(api)
	}
	if c.PageCatalogURL != "" {
		p, err := newPage(c.PageCatalogURL, who.Enabled())
		if err != nil {
			return err
		}
		p.register(api)
	}
	return httpserver.Serve(ctx, c.Addr, c.TLS, api, log)
}

// background runs work until ctx is done or the caller calls stop, which waits until it has returned.
func background(ctx context.Context, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { work(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}
