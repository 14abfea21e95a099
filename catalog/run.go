// Package catalog serves products, prices and stock over HTTP, on MongoDB. Package stock explains why it never sells a unit
// twice; package catalogclient has the wire types and a client. Operators check and repair the stock with the program ops.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ordersaga/ordersaga/catalog/mongodb"
	"github.com/ordersaga/ordersaga/catalog/product"
	"github.com/ordersaga/ordersaga/catalog/stock"
	"github.com/ordersaga/ordersaga/internal/auth"
	"github.com/ordersaga/ordersaga/internal/httpserver"
	"github.com/ordersaga/ordersaga/internal/readiness"
)

// Config is the program's configuration.
type Config struct {
	Addr          string        `env:"CATALOG_ADDR" envDefault:"127.0.0.1:4002" form:"address" help:"host:port to listen on"`
	MongoDBURI    string        `env:"MONGODB_URI,notEmpty" secret:"true" help:"mongodb://user:password@host:port/"`
	Database      string        `env:"MONGODB_DATABASE,notEmpty" envDefault:"catalog" help:"name of the database"`
	SweepInterval time.Duration `env:"CATALOG_SWEEP_INTERVAL" envDefault:"1s" help:"interval of sweeps, which end expired holds"`
	TLS           httpserver.TLS
	Auth          auth.Config
	Audience      string `env:"JWT_AUDIENCE" envDefault:"catalog" help:"aud that tokens must have"`
}

// Validate returns every mistake in the configuration.
func (c Config) Validate() error {
	var errs []error
	if err := mongodb.CheckURI(c.MongoDBURI); err != nil {
		errs = append(errs, fmt.Errorf("MONGODB_URI: %w", err))
	}
	if c.SweepInterval <= 0 {
		errs = append(errs, fmt.Errorf("CATALOG_SWEEP_INTERVAL: %s: must be positive", c.SweepInterval))
	}
	return errors.Join(errs...)
}

// Run serves until ctx is done.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	store, err := mongodb.Open(c.MongoDBURI, c.Database)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer closeStore(ctx, store, log)
	stopShowing, err := showHolds(store, log)
	if err != nil {
		return err
	}
	defer stopShowing()
	background := stock.NewBackground(stock.BackgroundRoom)
	units := stock.New(store, stock.Options{Later: background.Later, Log: log})

	who := auth.New(c.Auth, c.Audience, log)
	var owned sync.WaitGroup
	defer owned.Wait()
	sweeping, stopSweeping := context.WithCancel(ctx)
	defer stopSweeping()
	owned.Go(func() { who.Run(sweeping) })
	var indexed atomic.Bool
	owned.Go(func() {
		if prepare(sweeping, store, log) {
			indexed.Store(true)
			units.RunSweeper(sweeping, c.SweepInterval)
		}
	})
	// Requests queue work until they are drained, so the background ends after the server.
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	owned.Go(func() { background.Run(working, stock.BackgroundGoroutines) })

	api := newAPI(product.New(store, time.Now), units, options{
		log:         log,
		who:         who,
		unavailable: store.Unavailable,
		checks: map[string]httpserver.Check{
			"keys":    who.Ready,
			"mongodb": store.Ready,
			"indexes": func(context.Context) error {
				if !indexed.Load() {
					return readiness.Problem("being created")
				}
				return nil
			},
		},
	})
	return httpserver.Serve(ctx, c.Addr, c.TLS, api, log)
}

// prepare prepares the store. It retries until the server responds, and reports false if ctx is done first.
func prepare(ctx context.Context, store *mongodb.Store, log *slog.Logger) bool {
	const pause = time.Second
	for {
		err := store.Prepare(ctx)
		if err == nil {
			return true
		}
		log.Warn("waiting for MongoDB", "error", err.Error())
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

func closeStore(ctx context.Context, store *mongodb.Store, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := store.Close(ctx); err != nil {
		log.Warn("close the connections to MongoDB", "error", err.Error())
	}
}
