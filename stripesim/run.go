// Package stripesim is a payment gateway for development and tests: the part of the Stripe API that this system uses, on its
// own durable ledger, with faults on demand. It moves no money. Package gateway says what it guarantees.
package stripesim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/pgdb"
	"github.com/ordersaga/ordersaga/stripesim/gateway"
)

func Run(ctx context.Context, c Config, log *slog.Logger) error {
	pool, err := pgdb.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := gateway.Migrate(ctx, pool); err != nil {
		return err
	}
	g := gateway.New(pool, c.options(), log)
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { g.PruneKeys(background) })
	running.Go(func() { g.SendEvents(background) })
	defer running.Wait()
	defer stop()
	if c.DeclineRate > 0 || c.Latency > 0 {
		log.Warn("misbehaves on purpose", "decline_rate", c.DeclineRate, "latency", c.Latency.String())
	}
	if err := httpserver.Serve(ctx, c.Addr, g.Handler(), log); err != nil {
		return fmt.Errorf("the gateway: %w", err)
	}
	return nil
}
