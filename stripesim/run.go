// Package stripesim is a payment gateway for development and tests: the part of the Stripe API that this system uses, on its
// own durable ledger, with faults on demand. It moves no money. Package gateway says what it guarantees.
package stripesim

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func Run(ctx context.Context, c Config, log *slog.Logger) error {
	db, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := gateway.Migrate(ctx, db); err != nil {
		return err
	}
	if c.DeclineRate > 0 || c.Latency > 0 {
		log.Warn("misbehaves on purpose", "declineRate", c.DeclineRate, "latency", c.Latency.String())
	}
	payments := gateway.New(db, c.Options, log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { payments.Run(ctx); return nil })
	g.Go(func() error { return httpserver.Serve(ctx, c.Addr, httpserver.TLS{}, payments.Handler(), log) })
	return g.Wait()
}
